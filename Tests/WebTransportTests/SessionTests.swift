import Credentials
import HTTPSemantics
import HTTPTypes
import LoopConcurrency
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing
import WebTransport

@Suite("Sessions over loopback", .timeLimit(.minutes(1)))
struct SessionTests {
    @Test("The handler sees path, authority and header fields; the client sees the response's fields")
    func requestAndResponse() async throws {
        let seen = Handover<HTTPRequest>()
        try await Loopback.withServer { configuration in
            configuration.admission = { _ in .accept(subprotocol: "chat", fields: [.init("x-room")!: "42"]) }
        } handler: { session in
            seen.set(session.request)
        } _: { _, client in
            let (response, subprotocol) = try await client.withSession(
                "/room?id=1",
                fields: [.init("x-token")!: "secret"],
                subprotocols: ["chat"]
            ) { ($0.response, $0.subprotocol) }
            let request = try await seen.value
            #expect(request.path == "/room?id=1")
            #expect(request.authority == client.authority)
            #expect(request.headerFields[.init("x-token")!] == "secret")
            #expect(request.headerFields[.init("wt-available-protocols")!] == "\"chat\"")
            #expect(response.headerFields[.init("x-room")!] == "42")
            #expect(subprotocol == "chat")
        }
    }

    @Test("Both ends export the same keying material, another for each label, context and session")
    func keyingMaterial() async throws {
        let ofServer = Handover<[UInt8]>()
        try await Loopback.withServer { session in
            ofServer.set(try await session.exportKeyingMaterial(label: "login", context: [1, 2], count: 48))
            _ = try await session.closed
        } _: { _, client in
            let secret = try await client.withSession { session in
                let secret = try await session.exportKeyingMaterial(label: "login", context: [1, 2], count: 48)
                #expect(try await session.exportKeyingMaterial(label: "login", context: [1, 3], count: 48) != secret)
                #expect(try await session.exportKeyingMaterial(label: "logi", context: [1, 2], count: 48) != secret)
                await #expect(throws: WebTransportError.self) {
                    try await session.exportKeyingMaterial(label: String(repeating: "l", count: 256), count: 1)
                }
                return secret
            }
            #expect(secret.count == 48)
            #expect(try await ofServer.value == secret)
            let other = try await client.withSession {
                try await $0.exportKeyingMaterial(label: "login", context: [1, 2], count: 48)
            }
            #expect(other != secret)
        }
    }

    @Test("A refusal reaches the client with its status", arguments: [404, 429])
    func refusal(status: Int) async throws {
        try await Loopback.withServer { configuration in
            configuration.admission = { _ in .refuse(.init(code: status), reason: "not here") }
        } handler: { _ in
        } _: { _, client in
            let error = await #expect(throws: WebTransportError.self) { try await client.withSession { _ in } }
            #expect(error?.code == .refused)
            #expect(error?.status?.code == status)
        }
    }

    @Test("A session that is refused takes up no place")
    func refusalTakesNoPlace() async throws {
        try await Loopback.withServer { configuration in
            configuration.maxSessions = 1
            configuration.admission = { request in
                request.path == "/" ? .accept() : .refuse(.notFound, reason: "not here")
            }
        } handler: { _ in
        } _: { _, client in
            for _ in 0..<3 {
                let error = await #expect(throws: WebTransportError.self) {
                    try await client.withSession("/elsewhere") { _ in }
                }
                #expect(error?.status == .notFound)
            }
            try await client.withSession { _ in }
        }
    }

    @Test("A foreign origin gets 403; the same host and listed origins get in")
    func origins() async throws {
        try await Loopback.withServer { configuration in
            configuration.originPolicy = OriginPolicy(allowedOrigins: ["https://friend.example"])
        } handler: { _ in
        } _: { _, client in
            for origin in ["https://friend.example", "http://127.0.0.1:8080"] {
                try await client.withSession(fields: [.origin: origin]) { _ in }
            }
            for origin in ["https://evil.example", "null"] {
                let error = await #expect(throws: WebTransportError.self) {
                    try await client.withSession(fields: [.origin: origin]) { _ in }
                }
                #expect(error?.status == .forbidden)
            }
        }
    }

    @Test("Sessions beyond the limit get 429")
    func sessionLimit() async throws {
        try await Loopback.withServer(configure: { $0.maxSessions = 1 }) { session in
            _ = try await session.closed
        } _: { _, client in
            try await client.withSession { _ in
                let error = await #expect(throws: WebTransportError.self) { try await client.withSession { _ in } }
                #expect(error?.status == .tooManyRequests)
            }
        }
    }

    @Test("The client's close reaches the server with code and reason")
    func closeByClient() async throws {
        let seen = Handover<WebTransportSession.End>()
        try await Loopback.withServer { session in
            seen.set(try await session.closed)
        } _: { _, client in
            try await client.withSession { $0.close(code: 4242, reason: "grüezi") }
            let end = try await seen.value
            #expect(end == .closedByPeer(.init(code: 4242, reason: "grüezi")))
        }
    }

    @Test("The server's close reaches the client with code and reason")
    func closeByServer() async throws {
        try await Loopback.withServer { session in
            session.close(code: 7, reason: "bye")
        } _: { _, client in
            let end = try await client.withSession { try await $0.closed }
            #expect(end == .closedByPeer(.init(code: 7, reason: "bye")))
        }
    }

    @Test("A handler that returns closes its session with code 0, one that throws with code 1")
    func handlerEnds() async throws {
        struct Failure: Error {}
        try await Loopback.withServer { session in
            if session.request.path == "/throw" { throw Failure() }
        } _: { _, client in
            let returned = try await client.withSession("/return") { try await $0.closed }
            #expect(returned == .closedByPeer(.init()))
            let thrown = try await client.withSession("/throw") { try await $0.closed }
            #expect(thrown == .closedByPeer(.init(code: 1, reason: "internal error")))
        }
    }

    @Test("When the session ends, its streams fail and its sequences end")
    func streamsOfEndedSession() async throws {
        try await Loopback.withServer { session in
            for await stream in session.incomingBidirectionalStreams {
                var iterator = stream.inbound.makeAsyncIterator()
                _ = try await iterator.next()
                session.close(code: 1)
            }
        } _: { _, client in
            try await client.withSession { session in
                let stream = try await session.openBidirectionalStream()
                try await stream.outbound.write(ByteBuffer(string: "x"))
                await #expect(throws: WebTransportError.self) { try await stream.inbound.collect() }
                for await _ in session.datagrams {}
                for await _ in session.incomingBidirectionalStreams {}
                await #expect(throws: WebTransportError.self) { try await session.openUnidirectionalStream() }
                #expect(try await session.datagrams.send(ByteBuffer(string: "late")) == .unavailable)
            }
        }
    }

    @Test("Datagrams come back; the largest fits and a larger one is refused")
    func datagrams() async throws {
        try await Loopback.withServer(handler: Loopback.echo) { _, client in
            try await client.withSession { session in
                var iterator = session.datagrams.makeAsyncIterator()
                let largest = try await session.datagrams.maxDatagramSize
                #expect(largest > 1000)
                for size in [0, 1, largest] {
                    let payload = ByteBuffer(repeating: 9, count: size)
                    #expect(try await session.datagrams.send(payload) == .queued)
                    #expect(await iterator.next() == payload)
                }
                let excess = ByteBuffer(repeating: 9, count: 65_000)
                #expect(try await session.datagrams.send(excess) == .tooLarge)
            }
        }
    }

    @Test("A client that asks for a certificate with another hash gets no session and learns what to do")
    func wrongHash() async throws {
        try await Loopback.withServer(handler: { _ in }) { _, client in
            var stranger = client
            stranger.configuration.credentials = try .init(
                verification: .fingerprints([.init(hexadecimal: String(repeating: "00", count: 32))!])
            )
            let error = await #expect(throws: WebTransportError.self) { try await stranger.withSession { _ in } }
            #expect(error?.code == .connectionClosed)
        }
    }

    @Test("What a handler sends at once comes after the response, however busy the loop is")
    func responseFirst() async throws {
        let sent = 30
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        try await Loopback.withServer(on: group) { session in
            for _ in 0..<sent {
                try await session.openUnidirectionalStream().finish()
                try await session.datagrams.send(ByteBuffer(string: "at once"))
            }
            _ = try await session.closed
        } _: { _, client in
            // Each turn of the loop takes longer than the way of a session to its handler.
            let busy = Task(executorPreference: EventLoopTaskExecutor(group.next())) {
                while !Task.isCancelled { await Task.yield() }
            }
            defer { busy.cancel() }
            for _ in 0..<5 {
                try await RawPeer.withPeer(of: client) { peer in
                    try await peer.perform { try $0.connect() }
                    // Behind the three streams of HTTP/3.
                    let last = Int64(15 + 4 * (sent - 1))
                    try await peer.wait { $0.finished.contains(last) }
                    try await peer.perform { #expect($0.arrivalsBeforeResponse == 0) }
                }
            }
        }
        try await group.shutdownGracefully()
    }

    @Test("Nobody there: the client says so within its time limit")
    func nobody() async throws {
        try await Loopback.withServer(handler: { _ in }) { _, client in
            var lonely = Loopback.Client(authority: "127.0.0.1:9", configuration: client.configuration)
            lonely.configuration.connectTimeout = .milliseconds(300)
            let error = await #expect(throws: WebTransportError.self) { try await lonely.withSession { _ in } }
            #expect(error?.code == .timedOut)
        }
    }

    @Test("With Retry demanded the session begins all the same")
    func retry() async throws {
        try await Loopback.withServer(configure: { $0.retry = .always }, handler: Loopback.echo) { _, client in
            try await client.withSession { session in
                let outcome = try await session.datagrams.send(ByteBuffer(string: "x"))
                #expect(outcome == .queued)
            }
        }
    }

    @Test("Whoever waits for a stream or for the end stops waiting when cancelled, and no stream is opened for nobody")
    func cancellation() async throws {
        // The session itself takes one place of four.
        try await Loopback.withServer(configure: { $0.transport.maxStreams = 4 }, handler: Loopback.echo) { _, client in
            try await client.withSession { session in
                let held = [try await session.openBidirectionalStream(), try await session.openBidirectionalStream()]
                let first = try await session.openBidirectionalStream()
                let waiting = [
                    Task { _ = try await session.openBidirectionalStream() },
                    Task { _ = try await session.closed },
                    Task { try await session.draining },
                ]
                for task in waiting {
                    task.cancel()
                    await #expect(throws: CancellationError.self) { try await task.value }
                }
                first.outbound.finish()
                let rest = try await first.inbound.collect()
                #expect(rest.readableBytes == 0)
                // The place that became free is there for whoever asks now.
                let second = try await session.openBidirectionalStream()
                second.outbound.finish()
                let none = try await second.inbound.collect()
                #expect(none.readableBytes == 0)
                for stream in held { stream.outbound.finish() }
            }
        }
    }

    @Test("A shutdown does not wait for its grace period when no session is left", arguments: [false, true])
    func shutdownWithoutSessions(hasSession: Bool) async throws {
        try await Loopback.withServer(configure: { $0.gracePeriod = .hours(1) }) { session in
            _ = try await session.closed
        } _: { server, client in
            guard hasSession else { return }
            try await client.withSession { session in
                server.beginGracefulShutdown()
                try await session.draining
            }
        }
    }

    @Test("A server that has ended is let go, and not kept for its grace period by a second request to shut down")
    func shutdownTwice() async throws {
        struct Weak { weak var server: WebTransportServer? }
        let kept = NIOLockedValueBox(Weak())
        try await Loopback.withServer(configure: { $0.gracePeriod = .hours(1) }) { session in
            _ = try await session.closed
        } _: { server, _ in
            kept.withLockedValue { $0.server = server }
            // The first time of two.
            server.beginGracefulShutdown()
        }
        // Turns of the loops, which may be about to let go.
        for _ in 0..<100 where kept.withLockedValue({ $0.server != nil }) {
            for loop in Loopback.group.makeIterator() { try await loop.submit {}.get() }
        }
        #expect(kept.withLockedValue { $0.server == nil })
    }

    @Test("A graceful shutdown asks sessions to finish, then closes them")
    func gracefulShutdown() async throws {
        try await Loopback.withServer(handler: Loopback.echo) { server, client in
            let end = try await client.withSession { session in
                server.beginGracefulShutdown()
                try await session.draining
                return try await session.closed
            }
            #expect(end == .closedByPeer(.init(code: 0, reason: "server shutting down")))
        }
    }
}
