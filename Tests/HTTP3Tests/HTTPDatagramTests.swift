import HTTP3
import NIOCore
import Testing

@Suite("HTTP datagrams [25]")
struct HTTPDatagramTests {
    @Test(
        "The quarter stream ID names the stream (RFC 9297 § 2.1)",
        arguments: [
            ([0x00], 0),
            ([0x01], 4),
            ([0x40, 0x40], 256),
            ([0x80, 0x00, 0x40, 0x00], 65_536),
            ([0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 0x3fff_ffff_ffff_fffc),
        ] as [([UInt8], Int64)]
    )
    func vectors(header: [UInt8], streamID: Int64) throws {
        for payload in [[], [7], [UInt8](repeating: 9, count: 1200)] as [[UInt8]] {
            let datagram = try HTTPDatagram(ByteBuffer(bytes: header + payload))
            #expect(datagram.streamID == streamID)
            #expect(datagram.payload == ByteBuffer(bytes: payload))
        }
        #expect(HTTPDatagram.header(streamID: streamID) == ByteBuffer(bytes: header))
    }

    @Test(
        "One without a whole quarter stream ID, or with one of 2^60 and more, is H3_DATAGRAM_ERROR (RFC 9297 § 2.1)",
        arguments: [
            [], [0x40], [0xc0, 0, 0, 0, 0, 0, 0],
            [0xd0, 0, 0, 0, 0, 0, 0, 0], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        ] as [[UInt8]]
    )
    func errors(frame: [UInt8]) {
        let error = #expect(throws: HTTP3Error.self) { try HTTPDatagram(ByteBuffer(bytes: frame)) }
        #expect(error?.code == .datagramError)
    }
}
