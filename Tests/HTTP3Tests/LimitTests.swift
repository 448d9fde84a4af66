import HTTP3
import NIOCore
import Testing

@Suite("Limits of HTTP/3")
struct LimitTests {
    /// The beginning of HEADERS that say to be of 60,000 bytes, with a literal field of the given size and no end.
    private static func unfinishedHeaders(_ count: Int) -> ByteBuffer {
        var bytes: [UInt8] = [0x01, 0x80, 0x00, 0xea, 0x60, 0x00, 0x00]
        bytes += [0x27, 1] + Array("name-of-8".utf8.prefix(8))
        // The length of the value: a prefix of seven bits, then groups of seven (RFC 7541 § 5.1).
        var rest = count - 127
        bytes.append(0x7f)
        while rest >= 128 {
            bytes.append(UInt8(rest & 127 | 128))
            rest >>= 7
        }
        bytes.append(UInt8(rest))
        return ByteBuffer(bytes: bytes + [UInt8](repeating: 0x61, count: count))
    }

    @Test("Header sections that do not end are bounded together, over all streams")
    func unfinishedSections() throws {
        let pair = try HTTP3Pair()
        try pair.run()
        #expect {
            for stream in 0..<1024 {
                try pair.deliver(Self.unfinishedHeaders(16_000), on: Int64(stream) * 4, toServer: true)
            }
        } throws: { error in
            (error as? HTTP3Error)?.code == .excessiveLoad && (error as? HTTP3Error)?.limit == .fieldSections
        }
    }

    @Test("What a stream held of its header section is free again when it closes")
    func abandonedSections() throws {
        let pair = try HTTP3Pair()
        try pair.run()
        for stream in 0..<1024 {
            let id = Int64(stream) * 4
            try pair.deliver(Self.unfinishedHeaders(16_000), on: id, toServer: true)
            try pair.server.streamClosed(id, code: .requestCancelled)
        }
    }

    @Test("Frames with nothing in them are counted, and no others", arguments: [1, 2, 1000])
    func emptyFrames(chunkSize: Int) throws {
        let pair = try HTTP3Pair(chunkSize: chunkSize)
        try pair.run()
        // The client's SETTINGS.
        _ = pair.server.takeEmptyFrameCount()
        // GET https://x/ (RFC 9204, appendix A).
        let request: [UInt8] = [0x01, 8, 0x00, 0x00, 0xd1, 0xd7, 0x50, 1, 0x78, 0xc1]
        // A reserved type (RFC 9114 § 7.2.8) with a payload, DATA of one byte and of none.
        let frames: [UInt8] = [0x21, 2, 0x00, 0x00, 0x00, 1, 0x61, 0x00, 0, 0x00, 0]
        try pair.deliver(ByteBuffer(bytes: request + frames), on: 0, toServer: true)
        #expect(pair.server.takeEmptyFrameCount() == 3)
        #expect(pair.server.takeEmptyFrameCount() == 0)
    }

    @Test("Capsules are counted when they begin, known and unknown")
    func capsules() throws {
        var decoder = CapsuleDecoder(known: [.drainSession], maxPayloadSize: 16)
        let all = Capsule(.drainSession).encoded.readableBytesView + [0x29, 2, 0, 0] + [0x29, 0]
        for byte in all {
            var bytes = ByteBuffer(bytes: [byte])
            _ = try decoder.next(from: &bytes)
        }
        #expect(decoder.count == 3)
    }
}
