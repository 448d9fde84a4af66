import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import WebSocket

@Suite("Closing [68, 72]", .timeLimit(.minutes(5)))
struct CloseTests {
    /// A server handler that reports how its session ended.
    private static func reporting(
        _ body: @escaping @Sendable (WebSocketSession) async throws -> Void = { for await _ in $0.messages {} }
    ) -> (handler: @Sendable (WebSocketSession) async throws -> Void, ends: AsyncStream<WebSocketClose>) {
        let (ends, end) = AsyncStream<WebSocketClose>.makeStream()
        return (
            { session in
                try await body(session)
                end.yield(await session.closed)
            },
            ends
        )
    }

    @Test("The client's code and reason reach the server, and are answered", arguments: Transport.allCases)
    func byClient(transport: Transport) async throws {
        let (handler, ends) = Self.reporting()
        try await TestServer.run(transport, handler: handler) { server in
            try await server.connect { session in
                session.close(code: 4001, reason: "schluß")
                #expect(await session.closed == WebSocketClose(code: 4001, reason: "schluß", wasClean: true))
                await #expect(throws: WebSocketError.self) { try await session.send(text: "late") }
            }
            var iterator = ends.makeAsyncIterator()
            #expect(await iterator.next() == WebSocketClose(code: 4001, reason: "schluß", wasClean: true))
        }
    }

    @Test("The server's code and reason reach the client after its messages", arguments: Transport.allCases)
    func byServer(transport: Transport) async throws {
        let (handler, ends) = Self.reporting { session in
            try await session.send(text: "first")
            session.close(code: 4002, reason: "enough")
        }
        try await TestServer.run(transport, handler: handler) { server in
            try await server.connect { session in
                var messages: [WebSocketMessage] = []
                for await message in session.messages { messages.append(message) }
                #expect(messages == [.text("first")])
                #expect(await session.closed == WebSocketClose(code: 4002, reason: "enough", wasClean: true))
            }
            var iterator = ends.makeAsyncIterator()
            #expect(await iterator.next() == WebSocketClose(code: 4002, reason: "enough", wasClean: true))
        }
    }

    @Test("A handler that returns closes with 1000, one that throws with 1011", arguments: [false, true])
    func handlerEnds(fails: Bool) async throws {
        struct Failure: Error {}
        try await TestServer.run(handler: { _ in if fails { throw Failure() } }) { server in
            try await server.connect { session in
                let end = await session.closed
                #expect(end.code == (fails ? .internalError : .normal))
                #expect(end.wasClean)
            }
        }
    }

    @Test("An empty Close frame is 1005, and a lost connection 1006")
    func withoutCode() async throws {
        let (handler, ends) = Self.reporting()
        try await TestServer.run(handler: handler) { server in
            var iterator = ends.makeAsyncIterator()
            let empty = try await server.rawSession()
            empty.sendFrame(0x88)
            let answer = try await empty.readFrame()
            #expect(answer == (0x88, []))
            #expect(await iterator.next() == WebSocketClose(code: .noStatus, wasClean: true))

            let lost = try await server.rawSession()
            try await lost.channel.close()
            #expect(await iterator.next() == WebSocketClose(code: .abnormal, wasClean: false))
        }
    }

    /// Frames that break a rule, and the code that answers them.
    static let brokenRules: [(name: String, frames: [(UInt8, [UInt8])], code: WebSocketCloseCode)] = [
        ("a reserved bit", [(0xc1, [])], .protocolError),
        ("a reserved opcode", [(0x83, [])], .protocolError),
        ("a reserved control opcode", [(0x8b, [])], .protocolError),
        ("a fragmented ping", [(0x09, [])], .protocolError),
        ("a continuation of nothing", [(0x80, [1])], .protocolError),
        ("a message within a message", [(0x01, [0x61]), (0x81, [0x62])], .protocolError),
        ("half a close code", [(0x88, [3])], .protocolError),
        ("a code that must not be sent", [(0x88, [0x03, 0xed])], .protocolError),
        ("a code below 1000", [(0x88, [0x00, 0x01])], .protocolError),
        ("text that is not UTF-8", [(0x81, [0xff])], .invalidPayload),
        ("text that ends within a character", [(0x01, [0xc3]), (0x80, [])], .invalidPayload),
        ("text that is not UTF-8 before its end", [(0x01, [0x61]), (0x00, [0xed, 0xa0])], .invalidPayload),
        ("a close reason that is not UTF-8", [(0x88, [0x03, 0xe8, 0xff])], .invalidPayload),
    ]

    @Test("A broken rule is answered with its code", arguments: Transport.allCases, brokenRules.indices)
    func brokenRule(transport: Transport, index: Int) async throws {
        let violation = Self.brokenRules[index]
        let (handler, ends) = Self.reporting()
        try await TestServer.run(transport, handler: handler) { server in
            let raw = try await server.rawSession()
            for frame in violation.frames { raw.sendFrame(frame.0, frame.1) }
            try await raw.expectClose(violation.code)
            var iterator = ends.makeAsyncIterator()
            let end = await iterator.next()
            #expect(end?.code == violation.code && end?.wasClean == false, "\(violation.name)")
        }
    }

    @Test("A frame without a mask is 1002")
    func unmasked() async throws {
        try await TestServer.run { server in
            let raw = try await server.rawSession()
            raw.send([0x81, 0x01, 0x61])
            try await raw.expectClose(.protocolError)
        }
    }

    @Test("A message that is too large is 1009, in one frame and in many", arguments: Transport.allCases)
    func tooLarge(transport: Transport) async throws {
        try await TestServer.run(transport, configure: { $0.maxMessageSize = 1_000 }) { server in
            try await server.connect { session in
                try await session.send(binary: ByteBuffer(repeating: 0, count: 1_000))
                var messages = session.messages.makeAsyncIterator()
                #expect(await messages.next()?.byteCount == 1_000)
                try await session.send(binary: ByteBuffer(repeating: 0, count: 1_001))
                #expect(await session.closed.code == .messageTooLarge)
            }
            let raw = try await server.rawSession()
            raw.sendFrame(0x02, [UInt8](repeating: 0, count: 100))
            for _ in 0..<10 { raw.sendFrame(0x00, [UInt8](repeating: 0, count: 100)) }
            try await raw.expectClose(.messageTooLarge)
        }
    }

    @Test("A peer that does not answer a Close frame is given up")
    func slowClose() async throws {
        let (handler, ends) = Self.reporting { $0.close(code: .normal) }
        try await TestServer.run(configure: { $0.closeTimeout = .milliseconds(100) }, handler: handler) { server in
            let raw = try await server.rawSession()
            let frame = try await raw.readFrame()
            #expect(frame == (0x88, [0x03, 0xe8]))
            #expect(try await raw.readToEnd().isEmpty)
            var iterator = ends.makeAsyncIterator()
            #expect(await iterator.next() == WebSocketClose(code: .abnormal, wasClean: false))
        }
    }

    @Test("A reason that is too long is cut between characters")
    func longReason() async throws {
        try await TestServer.run(handler: { $0.close(code: .normal, reason: String(repeating: "ä", count: 100)) }) {
            server in
            try await server.connect { session in
                #expect(await session.closed.reason == String(repeating: "ä", count: 61))
            }
        }
    }
}
