import NIOCore
import Testing

@testable import WebSocket

@Suite("Sessions with compression (RFC 7692) [68, 72]", .timeLimit(.minutes(5)))
struct CompressedSessionTests {
    private static let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
    /// § 7.2.3.1
    private static let hello: [UInt8] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]

    private static func compressing(_ configuration: inout WebSocketServerConfiguration) {
        configuration.compression = WebSocketCompression()
    }

    /// A raw connection on which a session with compression has begun.
    private static func rawSession(_ server: TestServer) async throws -> RawConnection {
        let raw = try await server.raw()
        raw.send(RawConnection.upgrade(fields: Self.offer))
        let head = try await raw.read(through: "\r\n\r\n").lowercased()
        try #require(
            head.hasPrefix("http/1.1 101 ") && head.contains("sec-websocket-extensions: permessage-deflate\r\n")
        )
        return raw
    }

    @Test("Both sides compress, and every message comes back", arguments: Transport.allCases, [true, false])
    func echo(transport: Transport, keepsContext: Bool) async throws {
        var compression = WebSocketCompression()
        compression.keepsSendContext = keepsContext
        try await TestServer.run(transport, configure: Self.compressing) { [compression] server in
            try await server.connect("/echo", { $0.compression = compression }) { session in
                let answer = keepsContext ? "" : "; client_no_context_takeover"
                #expect(
                    session.extensions
                        == "permessage-deflate\(answer); server_max_window_bits=12; client_max_window_bits=12"
                )
                var messages = session.messages.makeAsyncIterator()
                for text in ["", "short", String(repeating: "long ", count: 20_000), String(repeating: "é", count: 64)]
                {
                    for _ in 0..<3 {
                        try await session.send(text: text)
                        #expect(await messages.next() == .text(text))
                        let bytes = ByteBuffer(string: text)
                        try await session.send(binary: bytes)
                        #expect(await messages.next() == .binary(bytes))
                    }
                }
            }
        }
    }

    @Test("Nothing is compressed unless both want it", arguments: [(false, true), (true, false)])
    func oneSided(server: Bool, client: Bool) async throws {
        try await TestServer.run(configure: { $0.compression = server ? WebSocketCompression() : nil }) { test in
            try await test.connect("/echo", { $0.compression = client ? WebSocketCompression() : nil }) { session in
                #expect(session.extensions == "")
                var messages = session.messages.makeAsyncIterator()
                let text = String(repeating: "a", count: 1_000)
                try await session.send(text: text)
                #expect(await messages.next() == .text(text))
            }
        }
    }

    @Test("A message of the largest size is taken even if it does not shrink")
    func incompressible() async throws {
        try await TestServer.run(configure: Self.compressing) { server in
            try await server.connect("/echo", { $0.compression = WebSocketCompression() }) { session in
                var messages = session.messages.makeAsyncIterator()
                let noise = ByteBuffer(bytes: (0..<1 << 20).map { _ in UInt8.random(in: .min ... .max) })
                try await session.send(binary: noise)
                #expect(await messages.next() == .binary(noise))
            }
        }
    }

    @Test("Short messages and control frames are sent as they are, long ones with the first reserved bit (§ 6)")
    func threshold() async throws {
        try await TestServer.run(configure: Self.compressing) { server in
            let raw = try await Self.rawSession(server)
            raw.sendFrame(0x81, [UInt8](repeating: 0x61, count: 63))
            let short = try await raw.readFrame()
            #expect(short == (0x81, [UInt8](repeating: 0x61, count: 63)))
            raw.sendFrame(0x82, [UInt8](repeating: 0x61, count: 64))
            let long = try await raw.readFrame()
            #expect(long.firstByte == 0xc2 && long.payload.count < 10)
            raw.sendFrame(0x89, [UInt8](repeating: 0x61, count: 125))
            let pong = try await raw.readFrame()
            #expect(pong == (0x8a, [UInt8](repeating: 0x61, count: 125)))
            raw.sendFrame(0x88, [0x03, 0xe8])
            try await raw.expectClose(.normal)
        }
    }

    @Test("A compressed message may come in fragments, with control frames between them (§ 6.1)")
    func fragments() async throws {
        try await TestServer.run(configure: Self.compressing) { server in
            let raw = try await Self.rawSession(server)
            for _ in 0..<2 {
                raw.sendFrame(0x41, Array(Self.hello.prefix(3)))
                raw.sendFrame(0x89, [1])
                raw.sendFrame(0x00, [])
                raw.sendFrame(0x00, Array(Self.hello[3..<5]))
                raw.sendFrame(0x80, Array(Self.hello[5...]))
                let pong = try await raw.readFrame()
                #expect(pong == (0x8a, [1]))
                let message = try await raw.readFrame()
                #expect(message == (0x81, Array("Hello".utf8)))
                // A message that is not compressed, between two that are.
                raw.sendFrame(0x01, [0x61])
                raw.sendFrame(0x80, [0x62])
                let plain = try await raw.readFrame()
                #expect(plain == (0x81, Array("ab".utf8)))
            }
            // § 7.2.3.6
            raw.sendFrame(0xc2, [0x00])
            let empty = try await raw.readFrame()
            #expect(empty == (0x82, []))
            try await raw.channel.close()
        }
    }

    /// Frames that break a rule of RFC 7692, and the code that answers them.
    static let brokenRules: [(name: String, frames: [(UInt8, [UInt8])], code: WebSocketCloseCode)] = [
        ("RSV2 (RFC 6455 § 5.2)", [(0xa1, [])], .protocolError),
        ("RSV3 (RFC 6455 § 5.2)", [(0x91, [])], .protocolError),
        ("RSV1 with RSV2", [(0xe1, hello)], .protocolError),
        ("a compressed ping (§ 6.1)", [(0xc9, [])], .protocolError),
        ("a compressed pong (§ 6.1)", [(0xca, [])], .protocolError),
        ("a compressed Close (§ 6.1)", [(0xc8, [0x03, 0xe8])], .protocolError),
        ("RSV1 in a continuation of a compressed message (§ 6.1)", [(0x41, hello), (0xc0, [0])], .protocolError),
        ("RSV1 in a continuation of a plain message (§ 6.1)", [(0x01, []), (0xc0, hello)], .protocolError),
        ("RSV1 in a continuation of nothing", [(0xc0, hello)], .protocolError),
        ("what is no DEFLATE", [(0xc1, [0xff, 0xff])], .invalidPayload),
        ("half a block", [(0xc1, Array(hello.prefix(4)))], .invalidPayload),
        // Stored blocks of one byte that is not UTF-8, and of a character's first half.
        ("text that is not UTF-8 (RFC 6455 § 8.1)", [(0xc1, [0, 1, 0, 0xfe, 0xff, 0xff, 0])], .invalidPayload),
        ("half a character", [(0xc1, [0, 1, 0, 0xfe, 0xff, 0xc3, 0])], .invalidPayload),
        ("text that is not UTF-8 before its end", [(0x41, [0, 1, 0, 0xfe, 0xff, 0xff])], .invalidPayload),
    ]

    @Test("A rule that the client breaks is answered with its code", arguments: brokenRules.indices)
    func brokenByClient(index: Int) async throws {
        let rule = Self.brokenRules[index]
        try await TestServer.run(configure: Self.compressing) { server in
            let raw = try await Self.rawSession(server)
            for frame in rule.frames { raw.sendFrame(frame.0, frame.1) }
            try await raw.expectClose(rule.code)
        }
    }

    @Test("A rule that the server breaks is answered with its code", arguments: brokenRules.indices)
    func brokenByServer(index: Int) async throws {
        let rule = Self.brokenRules[index]
        var compression = WebSocketCompression()
        compression.receiveWindowBits = 15
        try await RawServer.run(answer: Self.offer, configure: { $0.compression = compression }) { raw, session in
            for frame in rule.frames { raw.sendUnmaskedFrame(frame.0, frame.1) }
            let (first, payload) = try await raw.readMaskedFrame()
            #expect(
                first == 0x88
                    && payload.prefix(2) == [UInt8(rule.code.rawValue >> 8), UInt8(rule.code.rawValue & 0xff)]
            )
            try await raw.channel.close()
            #expect(await session.closed.code == rule.code, "\(rule.name)")
        }
    }

    @Test("RSV1 without an agreement is 1002 (RFC 6455 § 5.2)", arguments: [true, false])
    func notNegotiated(isServer: Bool) async throws {
        if isServer {
            try await TestServer.run(configure: Self.compressing) { server in
                let raw = try await server.rawSession()
                raw.sendFrame(0xc1, Self.hello)
                try await raw.expectClose(.protocolError)
            }
        } else {
            try await RawServer.run(configure: { $0.compression = WebSocketCompression() }) { raw, session in
                raw.sendUnmaskedFrame(0xc1, Self.hello)
                let (first, payload) = try await raw.readMaskedFrame()
                #expect(first == 0x88 && payload.prefix(2) == [0x03, 0xea])
                try await raw.channel.close()
                #expect(await session.closed.code == .protocolError)
            }
        }
    }

    @Test("A bomb is 1009, in one frame and in many, and others are unharmed", arguments: [true, false])
    func bomb(isFragmented: Bool) async throws {
        var payload = ByteBuffer()
        let zeros = [UInt8](repeating: 0, count: 20_000)
        zeros.withUnsafeBytes {
            MessageDeflater(windowBits: 15, keepsContext: true).deflate($0, into: &payload)
        }
        let bytes = Array(payload.readableBytesView)
        try #require(bytes.count < 126)
        try await TestServer.run(
            configure: {
                Self.compressing(&$0)
                $0.maxMessageSize = 10_000
            }
        ) { server in
            try await server.connect { other in
                let raw = try await Self.rawSession(server)
                if isFragmented {
                    raw.sendFrame(0x42, [bytes[0]])
                    for byte in bytes.dropFirst() { raw.sendFrame(0x00, [byte]) }
                } else {
                    raw.sendFrame(0xc2, bytes)
                }
                try await raw.expectClose(.messageTooLarge)
                var messages = other.messages.makeAsyncIterator()
                try await other.send(text: "still here")
                #expect(await messages.next() == .text("still here"))
            }
        }
    }

    @Test("An extension field that does not follow the grammar gets 400 (RFC 6455 § 9.1)")
    func grammar() async throws {
        try await TestServer.run(configure: Self.compressing) { server in
            let raw = try await server.raw()
            raw.send(RawConnection.upgrade(fields: "Sec-WebSocket-Extensions: permessage-deflate;\r\n"))
            #expect(String(decoding: try await raw.readToEnd(), as: UTF8.self).hasPrefix("HTTP/1.1 400 "))
        }
    }

    @Test("An answer that we did not ask for fails the client's handshake (RFC 7692 § 7.1)", arguments: [true, false])
    func unaskedAnswer(offers: Bool) async throws {
        var configuration = WebSocketClientConfiguration()
        configuration.connectTimeout = .seconds(60)
        // Its offer asks for a window of 12 bits, which this answer does not grant.
        configuration.compression = offers ? WebSocketCompression() : nil
        try await RawServer.accept(configuration) { raw, connecting in
            try await RawServer.answerHandshake(on: raw, fields: Self.offer)
            let error = await #expect(throws: WebSocketError.self) { try await connecting.value }
            #expect(error?.code == .handshakeFailed)
        }
    }
}
