import Logging
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import WebSocket

@Suite("The server's life", .timeLimit(.minutes(5)))
struct ServerLifecycleTests {
    private static func bind(_ listeners: [WebSocketServerConfiguration.Listener]) async throws -> WebSocketServer {
        try await WebSocketServer.bind(
            configuration: WebSocketServerConfiguration(listeners: listeners),
            eventLoopGroup: TestServer.group,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    @Test("A graceful shutdown closes sessions with 1001, and run returns", arguments: Transport.allCases)
    func graceful(transport: Transport) async throws {
        let end = try await TestServer.run(transport) { server in
            let session = try await WebSocketClient.connect(
                to: server.url("/echo"),
                configuration: server.client,
                eventLoopGroup: TestServer.group
            )
            try await session.send(text: "a")
            var messages = session.messages.makeAsyncIterator()
            _ = await messages.next()
            server.server.beginGracefulShutdown()
            return await session.closed
        }
        #expect(end.code == .goingAway && end.wasClean)
    }

    @Test("Sessions that do not end are ended after the grace period")
    func grace() async throws {
        try await TestServer.run(
            configure: {
                $0.gracePeriod = .milliseconds(200)
                $0.closeTimeout = .hours(1)
            },
            handler: { _ in
                // Only cancellation ends it.
                try await Task.sleep(for: .seconds(3_600))
            }
        ) { server in
            let raw = try await server.rawSession()
            server.server.beginGracefulShutdown()
            _ = try await raw.readToEnd()
        }
    }

    @Test("An idle connection does not hold up the shutdown")
    func idle() async throws {
        try await TestServer.run(configure: { $0.gracePeriod = .seconds(30) }) { server in
            let raw = try await server.raw()
            raw.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try await raw.read(through: "ok")
            server.server.beginGracefulShutdown()
            #expect(try await raw.readToEnd().isEmpty)
        }
    }

    @Test("Cancelling run ends everything")
    func cancellation() async throws {
        let server = try await Self.bind([.init(host: "127.0.0.1", port: 0)])
        let port = try #require(server.localAddresses[0].port)
        let running = Task { try await server.run { _ = await $0.closed } }
        let session = try await WebSocketClient.connect(
            to: "ws://127.0.0.1:\(port)/",
            eventLoopGroup: TestServer.group
        )
        running.cancel()
        // Whether the Close frame arrives before the end of the connection is open.
        #expect([.goingAway, .abnormal].contains(await session.closed.code))
        await #expect(throws: CancellationError.self) { try await running.value }
    }

    @Test("A port in use is an error that names it, and the other listeners are closed")
    func portInUse() async throws {
        let first = try await Self.bind([.init(host: "127.0.0.1", port: 0)])
        let used = try #require(first.localAddresses[0].port)
        var free = 0
        var failure: WebSocketError?
        repeat {
            let probe = try await Self.bind([.init(host: "127.0.0.2", port: 0)])
            free = try #require(probe.localAddresses[0].port)
            probe.beginGracefulShutdown()
            try await probe.run { _ in }
            failure = await #expect(throws: WebSocketError.self) {
                try await Self.bind([.init(host: "127.0.0.2", port: free), .init(host: "127.0.0.1", port: used)])
            }
            // A server of another test, on all addresses, may have got the port in between: then once more.
        } while failure?.message.contains("127.0.0.2:") == true
        #expect(failure?.code == .bindFailed)
        #expect(failure?.message.hasPrefix("cannot listen on 127.0.0.1:\(used) (TCP): the port is in use") == true)
        // The first of the two listeners is closed again.
        while true {
            do {
                let again = try await Self.bind([.init(host: "127.0.0.2", port: free)])
                again.beginGracefulShutdown()
                break
            } catch let error as WebSocketError where error.code == .bindFailed {
                await Task.yield()
            }
        }
        first.beginGracefulShutdown()
        try await first.run { _ in }
    }

    @Test("Listeners are reported in their order, on both families")
    func addresses() async throws {
        let server = try await Self.bind([.init(host: "127.0.0.1", port: 0), .init(host: "::1", port: 0)])
        #expect(server.localAddresses.map(\.protocol) == [.inet, .inet6])
        server.beginGracefulShutdown()
    }
}
