import HTTPTypes
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import WebTransport

/// Sessions on one connection, each within its limits (draft-ietf-webtrans-http3 § 5).
@Suite("Several sessions on a connection [12, 40]", .timeLimit(.minutes(5)))
struct SharedConnectionTests {
    /// What a session may receive unread, by default.
    private static let window = 2 << 20
    private static let chunk = ByteBuffer(repeating: 7, count: 64 * 1024)

    /// A server and a client that put several sessions on a connection.
    private static func withClient(
        sessions: Int = 2,
        serverSessions: Int? = nil,
        maxStreams: Int = 1024,
        handler: @escaping @Sendable (WebTransportSession) async throws -> Void,
        _ body: @Sendable (_ client: WebTransportClient, _ url: @Sendable (String) -> String) async throws -> Void
    ) async throws {
        @Sendable func configure(_ options: inout TransportOptions, sessions: Int) {
            options.maxSessionsPerConnection = sessions
            options.maxStreams = maxStreams
        }
        try await Loopback.withServer(
            configure: { configure(&$0.transport, sessions: serverSessions ?? sessions) },
            handler: handler
        ) { _, server in
            var configuration = server.configuration
            configure(&configuration.transport, sessions: sessions)
            configuration.connectTimeout = .seconds(60)
            let client = try await WebTransportClient.bind(
                configuration: configuration,
                eventLoop: Loopback.group.next(),
                isIPv6: false,
                logger: Logger(label: "test.client")
            )
            do {
                try await body(client) { "https://\(server.authority)\($0)" }
                await client.close()
            } catch {
                await client.close()
                throw error
            }
        }
    }

    private static func echo(_ size: Int, over session: WebTransportSession) async throws -> Int {
        let stream = try await session.openBidirectionalStream()
        async let received = stream.inbound.collect()
        try await stream.outbound.write(ByteBuffer(repeating: 5, count: size))
        stream.outbound.finish()
        return try await received.readableBytes
    }

    /// Reads unidirectional streams for nothing, and echoes the others.
    private static func discard(_ session: WebTransportSession) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask {
                await withDiscardingTaskGroup { streams in
                    for await stream in session.incomingUnidirectionalStreams {
                        // Streams that are reset are what it is for.
                        streams.addTask { _ = try? await stream.collect() }
                    }
                }
            }
            for await stream in session.incomingBidirectionalStreams {
                for try await chunk in stream.inbound { try await stream.outbound.write(chunk) }
                stream.outbound.finish()
            }
        }
    }

    /// Echoes, unless the path says otherwise.
    @Sendable private static func serve(_ session: WebTransportSession) async throws {
        switch session.request.path {
        case "/stall":
            // It reads when a datagram has come.
            for await _ in session.datagrams { break }
            try await Self.discard(session)
        case "/discard":
            try await Self.discard(session)
        case "/stop":
            for await stream in session.incomingUnidirectionalStreams {
                for try await _ in stream { break }
            }
        default:
            try await Loopback.echo(session)
        }
    }

    @Test("Two sessions have their own streams and datagrams, and each ends for itself")
    func independence() async throws {
        try await Self.withClient(handler: Self.serve) { client, url in
            let first = try await client.connect(to: url("/first"))
            let second = try await client.connect(to: url("/second"))
            #expect(try await client.connectionCount == 1)
            for session in [first, second] {
                #expect(try await Self.echo(100_000, over: session) == 100_000)
                let path = ByteBuffer(string: session.request.path!)
                _ = try await session.datagrams.send(path)
                for await datagram in session.datagrams {
                    #expect(datagram == path)
                    break
                }
            }
            first.close(code: 4, reason: "enough")
            #expect(try await first.closed == .closedLocally(SessionClose(code: 4, reason: "enough")))
            #expect(try await Self.echo(100_000, over: second) == 100_000)
            // The place is free again.
            let third = try await client.connect(to: url("/third"))
            #expect(try await client.connectionCount == 1)
            #expect(try await Self.echo(10, over: third) == 10)
            for session in [second, third] {
                session.close()
                await session.settled(within: .seconds(30))
            }
            await #expect(throws: WebTransportError.self) { try await second.openBidirectionalStream() }
        }
    }

    @Test("One session more than a connection takes gets another connection")
    func anotherConnection() async throws {
        try await Self.withClient(handler: Self.serve) { client, url in
            var sessions: [WebTransportSession] = []
            for count in 1...3 {
                sessions.append(try await client.connect(to: url("/\(count)")))
                #expect(try await client.connectionCount == (count + 1) / 2)
            }
            for session in sessions { #expect(try await Self.echo(10, over: session) == 10) }
        }
    }

    @Test("Where either end keeps no limits, each session has a connection of its own", arguments: [(1, 2), (2, 1)])
    func noSharing(client: Int, server: Int) async throws {
        try await Self.withClient(sessions: client, serverSessions: server, handler: Self.serve) { client, url in
            let sessions = [try await client.connect(to: url("/a")), try await client.connect(to: url("/b"))]
            #expect(try await client.connectionCount == 2)
            for session in sessions { #expect(try await Self.echo(Self.window + 1, over: session) == Self.window + 1) }
        }
    }

    @Test("A session whose server does not read is held at its limit, and stops no other (draft-16 § 8)")
    func stalledServer() async throws {
        try await Self.withClient(handler: Self.serve) { client, url in
            let stalled = try await client.connect(to: url("/stall"))
            let other = try await client.connect(to: url("/echo"))
            #expect(try await client.connectionCount == 1)
            let written = Counter()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    let stream = try await stalled.openUnidirectionalStream()
                    group.addTask {
                        while true {
                            try await stream.write(Self.chunk)
                            written.increment()
                        }
                    }
                }
                // All streams together: what each may send, and what the connection may, is more.
                while written.value * Self.chunk.readableBytes < Self.window { await Task.yield() }
                #expect(try await Self.echo(100_000, over: other) == 100_000)
                #expect(written.value * Self.chunk.readableBytes == Self.window)
                // Now it is read, and credit comes with it.
                _ = try await stalled.datagrams.send(ByteBuffer(string: "go"))
                while written.value * Self.chunk.readableBytes < 2 * Self.window { await Task.yield() }
                group.cancelAll()
                while let result = await group.nextResult() {
                    #expect(throws: CancellationError.self) { try result.get() }
                }
            }
        }
    }

    @Test("A session whose client does not read is held at its limit, and stops no other (draft-16 § 8)")
    func stalledClient() async throws {
        let written = Counter()
        try await Self.withClient { session in
            guard session.request.path == "/flood" else { return try await Loopback.echo(session) }
            try await withThrowingDiscardingTaskGroup { group in
                for _ in 0..<8 {
                    let stream = try await session.openUnidirectionalStream()
                    group.addTask {
                        while true {
                            try await stream.write(Self.chunk)
                            written.increment()
                        }
                    }
                }
            }
        } _: { client, url in
            let flooded = try await client.connect(to: url("/flood"))
            let other = try await client.connect(to: url("/echo"))
            #expect(try await client.connectionCount == 1)
            while written.value * Self.chunk.readableBytes < Self.window { await Task.yield() }
            #expect(try await Self.echo(100_000, over: other) == 100_000)
            #expect(written.value * Self.chunk.readableBytes == Self.window)
            await withThrowingTaskGroup(of: Void.self) { group in
                for await stream in flooded.incomingUnidirectionalStreams.prefix(8) {
                    group.addTask { for try await _ in stream {} }
                }
                while written.value * Self.chunk.readableBytes < 2 * Self.window { await Task.yield() }
                flooded.close()
                while let result = await group.nextResult() {
                    #expect(throws: WebTransportError.self) { try result.get() }
                }
            }
        }
    }

    @Test("Streams beyond a session's limit wait, others do not, and who gives up takes no place")
    func streamLimit() async throws {
        // A third for each session, and one for the rest.
        try await Self.withClient(maxStreams: 60, handler: Self.serve) { client, url in
            let stalled = try await client.connect(to: url("/stall"))
            let other = try await client.connect(to: url("/echo"))
            var streams: [WebTransportSendStream] = []
            for _ in 0..<20 { streams.append(try await stalled.openUnidirectionalStream()) }
            let cancelled = Task { try await stalled.openUnidirectionalStream() }
            let waiting = Task { try await stalled.openUnidirectionalStream() }
            for _ in 0..<50 { #expect(try await Self.echo(1, over: other) == 1) }
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await cancelled.value }
            _ = try await stalled.datagrams.send(ByteBuffer(string: "go"))
            for stream in streams { stream.finish() }
            let late = try await waiting.value
            try await late.write(ByteBuffer(string: "late"))
            late.finish()
            #expect(try await Self.echo(1, over: stalled) == 1)
        }
    }

    @Test("Credit for streams returns for ever: 200 in turn where 20 may be open")
    func manyStreams() async throws {
        try await Self.withClient(maxStreams: 60, handler: Self.serve) { client, url in
            let session = try await client.connect(to: url("/echo"))
            for _ in 0..<200 { #expect(try await Self.echo(1, over: session) == 1) }
        }
    }

    @Test("What a reset stream did not send costs the session nothing (draft-16 § 5.4: its final size counts)")
    func resets() async throws {
        try await Self.withClient(handler: Self.serve) { client, url in
            let session = try await client.connect(to: url("/discard"))
            // Twenty times the session's limit.
            for _ in 0..<40 {
                let stream = try await session.openUnidirectionalStream()
                try await stream.write(ByteBuffer(repeating: 1, count: 1 << 20))
                stream.reset(code: 1)
            }
            #expect(try await Self.echo(100_000, over: session) == 100_000)
        }
    }

    @Test("What is sent to a stream that was stopped costs the session nothing in the end")
    func stops() async throws {
        try await Self.withClient(handler: Self.serve) { client, url in
            let session = try await client.connect(to: url("/stop"))
            // More than the session's limit by far, and more streams than are remembered.
            for _ in 0..<70 {
                let stream = try await session.openUnidirectionalStream()
                do {
                    for _ in 0..<2 { try await stream.write(Self.chunk) }
                    stream.finish()
                } catch let error as WebTransportError {
                    #expect([.streamStopped, .streamFinished].contains(error.code))
                }
            }
        }
    }

    @Test("When a session ends, those who wait for its limits learn of it")
    func endWhileWaiting() async throws {
        try await Self.withClient(maxStreams: 60, handler: Self.serve) { client, url in
            let session = try await client.connect(to: url("/stall"))
            let stream = try await session.openUnidirectionalStream()
            let writing = Task { while true { try await stream.write(Self.chunk) } }
            for _ in 0..<19 { _ = try await session.openUnidirectionalStream() }
            let opening = Task { _ = try await session.openUnidirectionalStream() }
            // A round trip, so that both have begun to wait, or will find the session closed: either is right.
            _ = try await client.connect(to: url("/echo"))
            session.close()
            for task in [writing, opening] {
                let error = await #expect(throws: WebTransportError.self) { try await task.value }
                #expect(error?.code == .sessionClosed)
            }
        }
    }
}
