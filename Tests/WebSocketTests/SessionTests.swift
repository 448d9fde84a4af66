import Credentials
import HTTPSemantics
import HTTPTypes
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing

@testable import WebSocket

@Suite("Sessions over the loopback [72]", .timeLimit(.minutes(5)))
struct SessionTests {
    @Test("Text and binary come back with their kind", arguments: Transport.allCases)
    func echo(transport: Transport) async throws {
        try await TestServer.run(transport) { server in
            try await server.connect { session in
                var messages = session.messages.makeAsyncIterator()
                try await session.send(text: "grüße")
                #expect(await messages.next() == .text("grüße"))
                try await session.send(binary: ByteBuffer(bytes: [0, 1, 255]))
                #expect(await messages.next() == .binary(ByteBuffer(bytes: [0, 1, 255])))
                try await session.send(text: "")
                #expect(await messages.next() == .text(""))
            }
        }
    }

    @Test(
        "Messages at the limits of the length encodings, and of a mebibyte, come back whole",
        arguments: Transport.allCases,
        [125, 126, 4_096, 4_097, 65_535, 65_536, 1 << 20]
    )
    func sizes(transport: Transport, size: Int) async throws {
        try await TestServer.run(transport) { server in
            try await server.connect { session in
                var messages = session.messages.makeAsyncIterator()
                let payload = ByteBuffer(bytes: (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) })
                try await session.send(binary: payload)
                #expect(await messages.next() == .binary(payload))
                let text = String(repeating: "ä", count: size / 2)
                try await session.send(text: text)
                #expect(await messages.next() == .text(text))
            }
        }
    }

    @Test("The handler and the scoped client run on their connection's loop")
    func executor() async throws {
        let wasOnLoop = NIOLockedValueBox<[Bool]>([])
        try await TestServer.run(handler: { session in
            var onLoop = [session.eventLoop.inEventLoop]
            for await message in session.messages {
                onLoop.append(session.eventLoop.inEventLoop)
                try await session.send(message)
                onLoop.append(session.eventLoop.inEventLoop)
            }
            wasOnLoop.withLockedValue { $0 = onLoop }
        }) { server in
            try await server.connect { session in
                #expect(session.eventLoop.inEventLoop)
                try await session.send(text: "a")
                var messages = session.messages.makeAsyncIterator()
                _ = await messages.next()
                #expect(session.eventLoop.inEventLoop)
            }
        }
        #expect(wasOnLoop.withLockedValue { $0 } == [true, true, true])
    }

    @Test("Many messages from another thread arrive in order", arguments: Transport.allCases)
    func order(transport: Transport) async throws {
        try await TestServer.run(transport) { server in
            let session = try await WebSocketClient.connect(
                to: server.url("/echo"),
                configuration: server.client,
                eventLoopGroup: TestServer.group
            )
            async let sending: Void = {
                for number in 0..<5_000 { try await session.send(text: "\(number)") }
            }()
            var expected = 0
            for await message in session.messages {
                #expect(message == .text("\(expected)"))
                expected += 1
                if expected == 5_000 { break }
            }
            try await sending
            session.close()
            #expect(await session.closed == WebSocketClose(code: .normal, wasClean: true))
        }
    }

    @Test("A message in fragments is one message, with a ping in its middle", arguments: Transport.allCases)
    func fragments(transport: Transport) async throws {
        try await TestServer.run(transport) { server in
            let raw = try await server.rawSession()
            raw.sendFrame(0x01, Array("Hel".utf8))
            raw.sendFrame(0x89, Array("p".utf8))
            raw.sendFrame(0x00, [])
            raw.sendFrame(0x80, Array("lo".utf8))
            let pong = try await raw.readFrame()
            #expect(pong == (0x8a, Array("p".utf8)))
            let message = try await raw.readFrame()
            #expect(message == (0x81, Array("Hello".utf8)))
            raw.sendFrame(0x88, [0x03, 0xe8])
            try await raw.expectClose(.normal)
        }
    }

    @Test("A mebibyte in many fragments is one message")
    func manyFragments() async throws {
        try await TestServer.run(handler: { session in
            for await message in session.messages { try await session.send(text: "\(message.byteCount)") }
        }) { server in
            let raw = try await server.rawSession()
            let part = [UInt8](repeating: 7, count: 64)
            let middle = Array(repeatElement(RawConnection.frame(0x00, part), count: (1 << 14) - 2).joined())
            raw.send(RawConnection.frame(0x02, part) + middle + RawConnection.frame(0x80, part))
            let message = try await raw.readFrame()
            #expect(message == (0x81, Array("1048576".utf8)))
            try await raw.channel.close()
        }
    }

    @Test("A ping is answered, from the loop and from elsewhere", arguments: Transport.allCases)
    func ping(transport: Transport) async throws {
        try await TestServer.run(transport) { server in
            let time = try await server.connect { session in try await session.ping() }
            #expect(time > .zero)
            let session = try await WebSocketClient.connect(
                to: server.url("/echo"),
                configuration: server.client,
                eventLoopGroup: TestServer.group
            )
            #expect(try await session.ping() > .zero)
            session.close()
            _ = await session.closed
            await #expect(throws: WebSocketError.self) { try await session.ping() }
        }
    }

    @Test(
        "The handler sees the request, and the subprotocol is one that the client offered",
        arguments: Transport.allCases
    )
    func request(transport: Transport) async throws {
        let seen = NIOLockedValueBox<(HTTPRequest, String?)?>(nil)
        try await TestServer.run(
            transport,
            configure: { $0.admission = { _ in .accept(subprotocol: "b", fields: [.server: "apus"]) } },
            handler: { session in seen.withLockedValue { $0 = (session.request, session.subprotocol) } }
        ) { server in
            try await server.connect("/room?x=1", { $0.subprotocols = ["a", "b"] }) { session in
                #expect(session.subprotocol == "b")
                #expect(await session.closed.code == .normal)
            }
            try await server.connect("/", { $0.subprotocols = ["c"] }) { session in
                #expect(session.subprotocol == nil)
                #expect(await session.closed.code == .normal)
            }
        }
        let (request, _) = try #require(seen.withLockedValue { $0 })
        #expect(request.path == "/")
        #expect(request.scheme == (transport == .tls ? "https" : "http"))
    }

    @Test("A peer that does not read makes the sender wait, within bounds", arguments: Transport.allCases)
    func sendBackpressure(transport: Transport) async throws {
        let sent = NIOLockedValueBox(0)
        try await TestServer.run(
            transport,
            handler: { session in
                let payload = ByteBuffer(repeating: 1, count: 16 << 10)
                while true {
                    try await session.send(binary: payload)
                    sent.withLockedValue { $0 += payload.readableBytes }
                }
            }
        ) { server in
            let session = try await WebSocketClient.connect(
                to: server.url("/echo"),
                configuration: server.client,
                eventLoopGroup: TestServer.group
            )
            // The level stops rising when both kernels' buffers and both queues are full.
            var level = -1
            while true {
                try await Task.sleep(for: .milliseconds(200))
                let now = sent.withLockedValue { $0 }
                if now == level && now > 0 { break }
                level = now
            }
            #expect(level < 64 << 20)
            // Reading sets it going again.
            var received = 0
            for await message in session.messages {
                received += message.byteCount
                if received > level + (1 << 20) { break }
            }
            #expect(sent.withLockedValue { $0 } > level)
            session.close()
            _ = await session.closed
        }
    }

    @Test("A session that does not read makes its peer's sends wait", arguments: Transport.allCases)
    func receiveBackpressure(transport: Transport) async throws {
        try await TestServer.run(
            transport,
            handler: { session in _ = await session.closed }
        ) { server in
            var configuration = server.client
            configuration.closeTimeout = .milliseconds(100)
            let session = try await WebSocketClient.connect(
                to: server.url("/echo"),
                configuration: configuration,
                eventLoopGroup: TestServer.group
            )
            let sending = Task {
                var count = 0
                do {
                    while true {
                        try await session.send(binary: ByteBuffer(repeating: 1, count: 64 << 10))
                        count += 1
                    }
                } catch is CancellationError {
                    return count
                }
            }
            try await Task.sleep(for: .milliseconds(500))
            sending.cancel()
            // A cancelled sender that waits is let go; one that never had to wait would have sent gigabytes.
            #expect(try await sending.value < 1_000)
            session.close(code: .goingAway)
            _ = await session.closed
        }
    }

    @Test("A sender whose peer keeps up does not hold up other sessions of its loop", .timeLimit(.minutes(1)))
    func fairness() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        try await TestServer.run(
            group: group,
            configure: { $0.admission = { .accept(subprotocol: $0.headerFields[.secWebSocketProtocol]) } },
            handler: { session in
                if session.subprotocol == nil { return try await TestServer.echo(session) }
                while true { try await session.send(binary: ByteBuffer(repeating: 0, count: 16 << 10)) }
            }
        ) { server in
            // The clients live on other loops than the server.
            var configuration = server.client
            configuration.subprotocols = ["source"]
            let source = try await WebSocketClient.connect(
                to: server.url("/"),
                configuration: configuration,
                eventLoopGroup: TestServer.group
            )
            async let drained: Void = { for await _ in source.messages {} }()
            try await server.connect("/") { session in
                var messages = session.messages.makeAsyncIterator()
                for _ in 0..<100 {
                    try await session.send(text: "a")
                    #expect(await messages.next() == .text("a"))
                }
            }
            source.close()
            _ = await source.closed
            await drained
        }
        try await group.shutdownGracefully()
    }

    @Test("A silent peer is asked for a sign of life, and given up when it gives none")
    func keepAlive() async throws {
        let ends = AsyncStream<WebSocketClose>.makeStream()
        try await TestServer.run(
            configure: { $0.pingInterval = .milliseconds(100) },
            handler: { session in
                for await _ in session.messages {}
                ends.continuation.yield(await session.closed)
            }
        ) { server in
            let raw = try await server.rawSession()
            let ping = try await raw.readFrame()
            #expect(ping.firstByte == 0x89)
            #expect(try await raw.readToEnd().isEmpty)
            var iterator = ends.stream.makeAsyncIterator()
            #expect(await iterator.next() == WebSocketClose(code: .abnormal, wasClean: false))
        }
    }
}
