import HTTP3
import NIOCore
import Testing

@Suite("Capsules [36]")
struct CapsuleTests {
    private static let limit = 1028

    private static func makeDecoder() -> CapsuleDecoder {
        CapsuleDecoder(known: [.closeSession, .drainSession], maxPayloadSize: self.limit)
    }

    private static let close = Capsule(.closeSession, payload: ByteBuffer(bytes: [0, 0, 0, 7] + Array("bye".utf8)))

    @Test("The encoded form is type, length and payload (RFC 9297 § 3.2)")
    func encoded() {
        #expect(Self.close.encoded == ByteBuffer(bytes: [0x68, 0x43, 7, 0, 0, 0, 7, 0x62, 0x79, 0x65]))
        #expect(Capsule(.drainSession).encoded == ByteBuffer(bytes: [0x80, 0x00, 0x78, 0xae, 0]))
    }

    @Test("Capsules are cut out of the data one byte at a time, and unknown ones among them are skipped")
    func byteAtATime() throws {
        // A grease capsule as browsers send it, one without a payload, and one whose payload looks like a capsule.
        let unknown = [
            Capsule(.init(rawValue: 0x29), payload: ByteBuffer(bytes: [1, 2, 3])),
            Capsule(.init(rawValue: 0x3fff_ffff_ffff_ffff)),
            Capsule(.init(rawValue: 0x40), payload: Self.close.encoded),
        ]
        var bytes = ByteBuffer()
        for capsule in [unknown[0], .init(.drainSession), unknown[1], unknown[2], Self.close, .init(.drainSession)] {
            bytes.writeImmutableBuffer(capsule.encoded)
        }
        var decoder = Self.makeDecoder()
        var found: [Capsule] = []
        for byte in bytes.readableBytesView {
            var input = ByteBuffer(bytes: [byte])
            while let capsule = try decoder.next(from: &input) { found.append(capsule) }
            #expect(input.readableBytes == 0)
        }
        #expect(found == [.init(.drainSession), Self.close, .init(.drainSession)])
        let isAtBoundary = decoder.isAtBoundary
        #expect(isAtBoundary)

        var whole = Self.makeDecoder()
        var atOnce: [Capsule] = []
        while let capsule = try whole.next(from: &bytes) { atOnce.append(capsule) }
        #expect(atOnce == found)
    }

    @Test("The data is at a boundary before and after each capsule and nowhere else", arguments: [0x2843, 0x29])
    func boundary(type: UInt64) throws {
        let capsule = Capsule(.init(rawValue: type), payload: ByteBuffer(bytes: [0, 0, 0, 1]))
        let bytes = capsule.encoded
        var decoder = Self.makeDecoder()
        let isAtBoundaryFirst = decoder.isAtBoundary
        #expect(isAtBoundaryFirst)
        for (index, byte) in bytes.readableBytesView.enumerated() {
            var input = ByteBuffer(bytes: [byte])
            _ = try decoder.next(from: &input)
            let isAtBoundary = decoder.isAtBoundary
            #expect(isAtBoundary == (index == bytes.readableBytes - 1))
        }
    }

    @Test("An unknown capsule of 2^62 - 1 bytes is skipped as its bytes come (RFC 9297 § 3.3)")
    func hugeUnknown() throws {
        var decoder = Self.makeDecoder()
        var header = ByteBuffer(bytes: [0x29, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
        let skipped = try decoder.next(from: &header)
        #expect(skipped == nil)
        for _ in 0..<64 {
            var input = ByteBuffer(repeating: 0x41, count: 1 << 20)
            let found = try decoder.next(from: &input)
            #expect(found == nil)
            #expect(input.readableBytes == 0)
        }
        let isAtBoundary = decoder.isAtBoundary
        #expect(!isAtBoundary)
    }

    @Test("A known capsule as long as allowed is delivered; a longer one is H3_MESSAGE_ERROR from its header alone")
    func tooLong() throws {
        var decoder = Self.makeDecoder()
        let longest = Capsule(.closeSession, payload: ByteBuffer(repeating: 0x61, count: Self.limit))
        var input = longest.encoded
        let found = try decoder.next(from: &input)
        #expect(found == longest)

        for length in [UInt64(Self.limit) + 1, 1 << 60, (1 << 62) - 1] as [UInt64] {
            var header = ByteBuffer(bytes: [0x68, 0x43])
            header.writeEncodedInteger(length, strategy: .quic)
            let error = #expect(throws: HTTP3Error.self) {
                var decoder = Self.makeDecoder()
                var header = header
                _ = try decoder.next(from: &header)
            }
            #expect(error?.code == .messageError)
        }
    }
}
