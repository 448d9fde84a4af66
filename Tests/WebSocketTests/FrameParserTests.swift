import NIOCore
import NIOWebSocket
import Testing

@testable import WebSocket

@Suite("Frames out of bytes (RFC 6455 § 5.2) [68]")
struct FrameParserTests {
    /// Everything that comes of bytes that arrive in pieces.
    private static func parse(
        _ bytes: [UInt8],
        chunk: Int = .max,
        maximumSize: Int = 1 << 20
    ) throws(WebSocketViolation) -> [WebSocketFrame] {
        var parser = FrameParser(maximumSize: maximumSize)
        var buffer = ByteBuffer()
        var frames: [WebSocketFrame] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            // What has come out shares the buffer's storage, which a write would copy.
            var next = ByteBuffer(bytes: buffer.readableBytesView)
            next.writeBytes(rest.prefix(chunk))
            buffer = next
            rest = rest.dropFirst(chunk)
            while let frame = try parser.parse(&buffer) { frames.append(frame) }
        }
        return frames
    }

    private static func messages(_ frames: [WebSocketFrame], role: WebSocketRole) throws -> [MessageAssembler.Event] {
        var assembler = MessageAssembler(role: role, maximumSize: 1 << 20)
        return try frames.map { try assembler.receive($0) }.filter { $0 != .none }
    }

    /// A frame of any length, with any first byte, masked as a client's.
    private static func frame(_ firstByte: UInt8, _ payload: [UInt8]) -> [UInt8] {
        let count = payload.count
        let length: [UInt8] =
            count < 126
            ? [0x80 | UInt8(count)]
            : count < 65_536
                ? [0x80 | 126] + Swift.withUnsafeBytes(of: UInt16(count).bigEndian, Array.init)
                : [0x80 | 127] + Swift.withUnsafeBytes(of: UInt64(count).bigEndian, Array.init)
        let key: [UInt8] = [0x11, 0x22, 0x44, 0x88]
        return [firstByte] + length + key + payload.enumerated().map { $1 ^ key[$0 & 3] }
    }

    @Test("The same messages come of any division into reads", arguments: [1, 2, 3, 5, 7, 130, 4_099, Int.max])
    func division(chunk: Int) throws {
        let text = Array(String(repeating: "größe ", count: 60).utf8)
        // Beyond the second form of the length, where that does not make too many pieces.
        let large = (0..<(chunk < 100 ? 1_000 : 70_000)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let bytes =
            Self.frame(0x81, []) + Self.frame(0x81, text) + Self.frame(0x89, [1, 2, 3]) + Self.frame(0x02, large)
            + Self.frame(0x8a, []) + Self.frame(0x00, []) + Self.frame(0x80, text) + Self.frame(0x88, [0x03, 0xe8])
        let events = try Self.messages(Self.parse(bytes, chunk: chunk), role: .server)
        #expect(
            events == [
                .message(.text("")), .message(.text(String(decoding: text, as: UTF8.self))),
                .ping(ByteBuffer(bytes: [1, 2, 3])), .pong(ByteBuffer()),
                .message(.binary(ByteBuffer(bytes: large + text))), .close(.normal, reason: ""),
            ]
        )
    }

    @Test("A data frame comes out as it arrives, a control frame whole")
    func parts() throws {
        var parser = FrameParser(maximumSize: 100)
        var buffer = ByteBuffer(bytes: [0xc2, 0x03, 7])
        let first = try #require(try parser.parse(&buffer))
        #expect(!first.fin && first.rsv1 && first.opcode == .binary && first.data == ByteBuffer(bytes: [7]))
        #expect(try parser.parse(&buffer) == nil)
        buffer.writeBytes([8, 9, 0x89, 0x02, 1])
        let last = try #require(try parser.parse(&buffer))
        #expect(last.fin && !last.rsv1 && last.opcode == .continuation && last.data == ByteBuffer(bytes: [8, 9]))
        #expect(try parser.parse(&buffer) == nil)
        buffer.writeInteger(2 as UInt8)
        let ping = try #require(try parser.parse(&buffer))
        #expect(ping.fin && ping.opcode == .ping && ping.data == ByteBuffer(bytes: [1, 2]))
    }

    @Test("Text that is not UTF-8 fails at the byte, not at the frame's end (RFC 6455 § 8.1)")
    func failFast() throws {
        let bytes = Self.frame(0x81, [0x61, 0xc3, 0xa9, 0xed, 0xa0, 0x80] + [UInt8](repeating: 0x61, count: 50))
        // The header has six bytes. A surrogate is recognised by its second byte.
        let good = try Self.parse(Array(bytes.prefix(6 + 4)), chunk: 1)
        _ = try Self.messages(good, role: .server)
        let bad = try Self.parse(Array(bytes.prefix(6 + 5)), chunk: 1)
        let error = #expect(throws: WebSocketViolation.self) { try Self.messages(bad, role: .server) }
        #expect(error?.code == .invalidPayload)
    }

    @Test(
        "A header that breaks a rule fails before the payload comes",
        arguments: [
            // Control frames in fragments, and longer than 125 bytes (§ 5.5).
            [0x09, 0x00], [0x08, 0x80], [0x89, 0x7e], [0x88, 0xfe], [0x8a, 0x7f], [0x8b, 0x7e],
            // Lengths that are not the shortest, and one with the first bit set (§ 5.2).
            [0x82, 0x7e, 0x00, 0x7d], [0x82, 0x7f, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
            [0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1],
        ] as [[UInt8]]
    )
    func badHeaders(header: [UInt8]) {
        for chunk in [1, Int.max] {
            let error = #expect(throws: WebSocketViolation.self) { try Self.parse(header, chunk: chunk) }
            #expect(error?.code == .protocolError)
        }
    }

    @Test("A frame that is too large fails before its payload comes, and one of the limit does not")
    func limit() throws {
        #expect(try Self.parse([0x82, 0x7e, 0x01, 0x00], maximumSize: 256).isEmpty)
        for header in [[0x82, 0x7e, 0x01, 0x01], [0x02, 0x7f, 0x7f] + [UInt8](repeating: 0xff, count: 7)] {
            let error = #expect(throws: WebSocketViolation.self) { try Self.parse(header, maximumSize: 256) }
            #expect(error?.code == .messageTooLarge)
        }
        // Control frames are not messages.
        #expect(try Self.parse([0x89, 0x02, 1, 2], maximumSize: 1).count == 1)
    }

    @Test("UTF-8 is judged alike with and without ASCII before it, at every offset")
    func asciiRuns() {
        for length in 0..<20 {
            let ascii = [UInt8](repeating: 0x61, count: length)
            for (bytes, isValid) in [([0xc3, 0xa9], true), ([0xff], false), ([0xed, 0xa0, 0x80], false)]
                as [([UInt8], Bool)]
            {
                var validator = UTF8Validator()
                #expect((validator.append(ascii + bytes + ascii) && validator.isComplete) == isValid)
            }
        }
    }
}
