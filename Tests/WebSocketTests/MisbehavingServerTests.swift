import NIOCore
import Testing

@testable import WebSocket

/// The client's side of the rules that CloseTests proves for the server.
@Suite("The client against a server that misbehaves", .timeLimit(.minutes(5)))
struct MisbehavingServerTests {
    /// Frames that break a rule, and the code that answers them (RFC 6455 § 5, § 7.4, § 8.1).
    static let brokenRules: [(name: String, bytes: [UInt8], code: WebSocketCloseCode)] = [
        ("a masked frame (§ 5.1)", [0x81, 0x81, 1, 2, 3, 4, 0x60], .protocolError),
        ("RSV1", [0xc1, 0], .protocolError), ("RSV2", [0xa1, 0], .protocolError), ("RSV3", [0x91, 0], .protocolError),
        ("RSV in a ping", [0xf9, 0], .protocolError),
        ("opcode 3", [0x83, 0], .protocolError), ("opcode 7", [0x87, 0], .protocolError),
        ("opcode 11", [0x8b, 0], .protocolError), ("opcode 15", [0x8f, 0], .protocolError),
        ("a fragmented ping", [0x09, 0], .protocolError), ("a fragmented Close", [0x08, 0], .protocolError),
        ("a ping of 126 bytes", [0x89, 126, 0, 126], .protocolError),
        ("a continuation of nothing", [0x80, 1, 0x61], .protocolError),
        ("a continuation after the end", [0x81, 1, 0x61, 0x00, 1, 0x61], .protocolError),
        ("a message within a message", [0x01, 1, 0x61, 0x81, 1, 0x62], .protocolError),
        ("half a close code", [0x88, 1, 3], .protocolError),
        ("a length that is not the shortest", [0x82, 126, 0, 1, 0], .protocolError),
        ("text that is not UTF-8", [0x81, 1, 0xff], .invalidPayload),
        ("an overlong form", [0x81, 2, 0xc0, 0x80], .invalidPayload),
        ("beyond U+10FFFF", [0x81, 4, 0xf4, 0x90, 0x80, 0x80], .invalidPayload),
        ("a character that is cut", [0x01, 1, 0xc3, 0x80, 0], .invalidPayload),
        ("bad UTF-8 before the frame's end", [0x81, 100, 0xff], .invalidPayload),
        ("a close reason that is not UTF-8", [0x88, 3, 0x03, 0xe8, 0xff], .invalidPayload),
        ("a frame that is too large", [0x82, 126, 0x10, 0x01], .messageTooLarge),
        ("a frame of 2^62 bytes", [0x82, 127, 0x40, 0, 0, 0, 0, 0, 0, 0], .messageTooLarge),
    ]

    private static func expectClose(
        _ raw: RawConnection,
        _ code: WebSocketCloseCode,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let (first, payload) = try await raw.readMaskedFrame()
        #expect(first == 0x88, sourceLocation: sourceLocation)
        let bytes = [UInt8(code.rawValue >> 8), UInt8(code.rawValue & 0xff)]
        #expect(Array(payload.prefix(2)) == bytes, sourceLocation: sourceLocation)
    }

    @Test("A broken rule is answered with its code, and is the end", arguments: brokenRules.indices)
    func brokenRule(index: Int) async throws {
        let rule = Self.brokenRules[index]
        try await RawServer.run(configure: { $0.maxMessageSize = 4_096 }) { raw, session in
            async let messages: [WebSocketMessage] = {
                var messages: [WebSocketMessage] = []
                for await message in session.messages { messages.append(message) }
                return messages
            }()
            // What follows is not looked at.
            raw.send(rule.bytes + [0x81, 1, 0x7a, 0x89, 0])
            try await Self.expectClose(raw, rule.code)
            try await raw.channel.close()
            let end = await session.closed
            #expect(end.code == rule.code && !end.wasClean, "\(rule.name)")
            let seen = await messages
            #expect(!seen.contains(.text("z")), "\(rule.name)")
        }
    }

    @Test(
        "Every code that may be sent is echoed, and every other is 1002 (RFC 6455 § 7.4)",
        arguments: [
            (0, false), (999, false), (1000, true), (1001, true), (1002, true), (1003, true), (1004, false),
            (1005, false), (1006, false), (1007, true), (1011, true), (1014, true), (1015, false), (1016, false),
            (1100, false), (2000, false), (2999, false), (3000, true), (4999, true), (5000, false), (65535, false),
        ]
    )
    func closeCodes(code: UInt16, isValid: Bool) async throws {
        let bytes = [UInt8(code >> 8), UInt8(code & 0xff)]
        try await RawServer.run { raw, session in
            raw.sendUnmaskedFrame(0x88, bytes)
            try await Self.expectClose(raw, isValid ? .init(rawValue: code) : .protocolError)
            try await raw.channel.close()
            #expect(await session.closed.wasClean == isValid)
        }
        try await TestServer.run { server in
            let raw = try await server.rawSession()
            raw.sendFrame(0x88, bytes)
            try await raw.expectClose(isValid ? .init(rawValue: code) : .protocolError)
        }
    }

    @Test("A message in fragments of any size is one, with pings between them answered in order (§ 5.4, § 5.5.2)")
    func fragments() async throws {
        try await RawServer.run { raw, session in
            raw.send(
                [0x01, 0, 0x89, 1, 1, 0x00, 1, 0xc3, 0x89, 1, 2, 0x00, 1, 0xa9, 0x8a, 1, 9, 0x80, 0] + [0x82, 0]
            )
            for number: UInt8 in [1, 2] {
                let pong = try await raw.readMaskedFrame()
                #expect(pong == (0x8a, [number]))
            }
            var messages = session.messages.makeAsyncIterator()
            #expect(await messages.next() == .text("é"))
            #expect(await messages.next() == .binary(ByteBuffer()))
            session.close()
            try await Self.expectClose(raw, .normal)
            raw.sendUnmaskedFrame(0x88, [0x03, 0xe8])
            try await raw.channel.close()
            #expect(await session.closed.wasClean)
        }
    }

    @Test("Messages that come byte by byte are the same")
    func byteAtATime() async throws {
        try await RawServer.run { raw, session in
            let text = Array(String(repeating: "ä", count: 100).utf8)
            for byte in [0x81, 126, 0, 200] + text + [0x89, 1, 5] { raw.send([byte]) }
            let pong = try await raw.readMaskedFrame()
            #expect(pong == (0x8a, [5]))
            var messages = session.messages.makeAsyncIterator()
            #expect(await messages.next() == .text(String(repeating: "ä", count: 100)))
            try await raw.channel.close()
            #expect(await session.closed.code == .abnormal)
        }
    }

    @Test("A message of many fragments is refused at the limit, whatever their number (RFC 6455 § 10.4)")
    func limit() async throws {
        try await RawServer.run(configure: { $0.maxMessageSize = 1_000 }) { raw, session in
            raw.send([0x02, 0] + [UInt8](repeatElement([0x00, 1, 7], count: 1_000).joined()) + [0x80, 0])
            var messages = session.messages.makeAsyncIterator()
            #expect(await messages.next()?.byteCount == 1_000)
            raw.send([0x02, 0] + [UInt8](repeatElement([0x00, 1, 7], count: 1_001).joined()))
            try await Self.expectClose(raw, .messageTooLarge)
            try await raw.channel.close()
            #expect(await session.closed.code == .messageTooLarge)
        }
    }

    @Test(
        "An answer that is no valid handshake is an error, and says what is wrong (RFC 6455 § 4.1)",
        arguments: [
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 301 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 101\r\n\r\n", "nonsense\r\n\r\n", "",
        ]
    )
    func badHandshake(answer: String) async throws {
        var configuration = WebSocketClientConfiguration()
        configuration.connectTimeout = .seconds(60)
        try await RawServer.accept(configuration) { raw, connecting in
            _ = try await raw.read(through: "\r\n\r\n")
            if !answer.isEmpty { raw.send(answer) }
            // The client may have closed by now.
            try? await raw.channel.close(mode: .output)
            await #expect(throws: (any Error).self) { try await connecting.value }
        }
    }
}

@Suite("The server and the messages before a broken rule", .timeLimit(.minutes(5)))
struct LastMessageTests {
    @Test("What came before it is answered, even if all comes at once", arguments: Transport.allCases)
    func answeredFirst(transport: Transport) async throws {
        try await TestServer.run(transport) { server in
            let raw = try await server.rawSession()
            raw.send(
                RawConnection.frame(0x81, Array("a".utf8)) + RawConnection.frame(0x81, Array("b".utf8))
                    + RawConnection.frame(0x83, []) + RawConnection.frame(0x81, Array("c".utf8))
            )
            for text in ["a", "b"] {
                let message = try await raw.readFrame()
                #expect(message == (0x81, Array(text.utf8)))
            }
            try await raw.expectClose(.protocolError)
        }
    }
}
