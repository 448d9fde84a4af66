import HTTP3
import NIOCore
import Testing

@Suite("Whose a stream is [13]")
struct StreamTypingTests {
    /// One session ID for every length of a varint, and its longest encoding.
    static let sessionIDs: [(id: Int64, encoded: [UInt8])] = [
        (4, [0x04]),
        (4, [0x40, 0x04]),
        (16_380, [0x7f, 0xfc]),
        (0x3fff_fffc, [0xbf, 0xff, 0xff, 0xfc]),
        (0x3fff_ffff_ffff_fffc, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfc]),
    ]
    static let sessionIndices = sessionIDs.indices

    @Test(
        "WebTransport's header is found one byte at a time (draft-ietf-webtrans-http3 § 4.2, § 4.3)",
        arguments: sessionIndices,
        [false, true]
    )
    func byteAtATime(index: Int, isUnidirectional: Bool) {
        let (id, encoded) = Self.sessionIDs[index]
        let header = [0x40, isUnidirectional ? 0x54 : 0x41] + encoded
        var typing = StreamTyping(isUnidirectional: isUnidirectional)
        for byte in header.dropLast() {
            #expect(typing.process(ByteBuffer(bytes: [byte]), isFinal: false) == .undecided)
        }
        #expect(
            typing.process(ByteBuffer(bytes: [header.last!]), isFinal: false)
                == .webTransport(sessionID: id, headerSize: header.count, rest: ByteBuffer())
        )
    }

    @Test(
        "What follows the header is the stream's data, at every split point",
        arguments: sessionIndices,
        [false, true]
    )
    func rest(index: Int, isUnidirectional: Bool) {
        let (id, encoded) = Self.sessionIDs[index]
        let header = [0x40, isUnidirectional ? 0x54 : 0x41] + encoded
        let bytes = header + [1, 2, 3]
        for split in 0..<header.count {
            var typing = StreamTyping(isUnidirectional: isUnidirectional)
            #expect(typing.process(ByteBuffer(bytes: bytes[..<split]), isFinal: false) == .undecided)
            #expect(
                typing.process(ByteBuffer(bytes: bytes[split...]), isFinal: true)
                    == .webTransport(sessionID: id, headerSize: header.count, rest: ByteBuffer(bytes: [1, 2, 3]))
            )
        }
    }

    @Test("The header of an own stream is understood by the other end, in the shortest form", arguments: [false, true])
    func ownHeader(isUnidirectional: Bool) {
        for id in [0, 60, 64, 1 << 20, 1 << 40] as [Int64] {
            let header = StreamTyping.header(sessionID: id, isUnidirectional: isUnidirectional)
            var typing = StreamTyping(isUnidirectional: isUnidirectional)
            #expect(
                typing.process(header, isFinal: true)
                    == .webTransport(sessionID: id, headerSize: header.readableBytes, rest: ByteBuffer())
            )
        }
        let first = StreamTyping.header(sessionID: 0, isUnidirectional: isUnidirectional)
        #expect(first == ByteBuffer(bytes: [0x40, isUnidirectional ? 0x54 : 0x41, 0x00]))
    }

    @Test("Other types are HTTP/3's, with all bytes from the first one", arguments: [false, true])
    func others(isUnidirectional: Bool) {
        // The signal of one direction means nothing in the other one.
        let foreign: [UInt8] = [0x40, isUnidirectional ? 0x41 : 0x54]
        let cases: [([UInt8], UInt64)] = [
            ([0x00, 0x04, 0x00], 0x00), ([0x01, 0x05], 0x01), ([0x02], 0x02), ([0x21, 0x07, 0x07], 0x21),
            (foreign + [0x00], isUnidirectional ? 0x41 : 0x54),
            ([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x09], 0x3fff_ffff_ffff_ffff),
        ]
        for (bytes, type) in cases {
            var typing = StreamTyping(isUnidirectional: isUnidirectional)
            var decided = false
            for (index, byte) in bytes.enumerated() where !decided {
                let verdict = typing.process(ByteBuffer(bytes: [byte]), isFinal: false)
                guard verdict != .undecided else { continue }
                decided = true
                #expect(verdict == .http3(ByteBuffer(bytes: bytes[...index]), type: type))
            }
            #expect(decided)
        }
    }

    @Test("A stream that ends while it is undecided is HTTP/3's, whole", arguments: [false, true])
    func finalBeforeDecided(isUnidirectional: Bool) {
        let signal: UInt8 = isUnidirectional ? 0x54 : 0x41
        let cases: [([UInt8], UInt64?)] = [
            ([], nil), ([0x40], nil), ([0x40, signal], UInt64(signal)), ([0x40, signal, 0x80, 0x00], UInt64(signal)),
        ]
        for (bytes, type) in cases {
            var typing = StreamTyping(isUnidirectional: isUnidirectional)
            for byte in bytes { #expect(typing.process(ByteBuffer(bytes: [byte]), isFinal: false) == .undecided) }
            #expect(typing.process(ByteBuffer(), isFinal: true) == .http3(ByteBuffer(bytes: bytes), type: type))
        }
    }
}
