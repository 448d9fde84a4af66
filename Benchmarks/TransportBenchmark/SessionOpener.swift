import Credentials
import HTTPSemantics
import Logging
import NIOCore
import WebSocket
import WebTransport

/// Opens sessions to the target, each on a connection and a socket of its own, as browsers do.
struct SessionOpener: Sendable {
    private let target: BenchmarkTarget
    private let eventLoop: any EventLoop
    private let webTransport: WebTransportClient.Configuration
    private let webSocket: WebSocketClientConfiguration
    /// Of the sessions whose handshakes are to be resumed: of each kind, since servers tell them apart by ALPN.
    private let memories: [SessionFamily: ResumptionStore]

    /// Nothing is logged: errors are reported by who gets them.
    private static let silence = Logger(label: "apus.bench") { _ in SwiftLogNoOpLogHandler() }

    /// Sessions are idle while other transports have their turns. Servers end a connection after 30 s of silence.
    private static let keepAlive = TimeAmount.seconds(10)

    init(target: BenchmarkTarget, eventLoop: any EventLoop) {
        self.target = target
        self.eventLoop = eventLoop
        self.webTransport = WebTransportClient.Configuration(credentials: target.credentials)
        var webSocket = WebSocketClientConfiguration(credentials: target.credentials)
        // As QUIC's keep-alive: a server that is gone ends the session.
        webSocket.pingInterval = Self.keepAlive
        self.webSocket = webSocket
        self.memories = Dictionary(uniqueKeysWithValues: SessionFamily.allCases.map { ($0, ResumptionStore()) })
    }

    // MARK: WebTransport

    /// A session for the time of `body`.
    func withWebTransport(
        _ body: @concurrent @Sendable (WebTransportSession) async throws -> Void
    ) async throws {
        try await self.withClient { client in
            let session = try await self.explaining(self.target.webTransportURL) {
                try await client.connect(to: self.target.webTransportURL)
            }
            try await Self.translating { try await body(session) }
        }
    }

    /// A UDP socket for the time of `body`.
    private func withClient(_ body: (WebTransportClient) async throws -> Void) async throws {
        var configuration = self.webTransport
        configuration.transport.keepAlive = Self.keepAlive
        let client = try await WebTransportClient.bind(
            configuration: configuration,
            eventLoop: self.eventLoop,
            logger: Self.silence
        )
        do {
            try await body(client)
            await client.close()
        } catch {
            await client.close()
            throw error
        }
    }

    // MARK: WebSocket

    /// A session for the time of `body`.
    func withWebSocket(
        _ family: SessionFamily,
        _ body: @concurrent @Sendable (WebSocketSession) async throws -> Void
    ) async throws {
        guard family == .webSocketHTTP3 else {
            let session = try await self.openWebSocket(family, resuming: nil)
            defer { session.close() }
            return try await Self.translating { try await body(session) }
        }
        try await self.withClient { client in
            let session = try await self.openWebSocket(over: client)
            defer { session.close() }
            try await Self.translating { try await body(session) }
        }
    }

    private func openWebSocket(
        _ family: SessionFamily,
        resuming memory: ResumptionStore?
    ) async throws -> WebSocketSession {
        var configuration = self.webSocket
        configuration.usesHTTP2 = family == .webSocketHTTP2
        configuration.resumption = memory
        let configured = configuration
        return try await self.explaining(self.target.webSocketURL) {
            try await WebSocketClient.connect(
                to: self.target.webSocketURL,
                configuration: configured,
                eventLoopGroup: self.eventLoop
            )
        }
    }

    /// A session on a stream of HTTP/3.
    private func openWebSocket(over client: WebTransportClient) async throws -> WebSocketSession {
        let (url, configuration, loop) = (self.target.webTransportURL, self.webSocket, self.eventLoop)
        let target = try SessionURL(validating: url)
        return try await self.explaining(url) {
            try await client.openTunnel(to: target) { promise in
                ExtendedConnectRequest(to: target, configuration: configuration, eventLoop: loop, promise: promise)
            }
        }
    }

    // MARK: The beginning of sessions

    /// Opens a session, has one message echoed, closes it, and tells how long that took from the beginning.
    /// - Throws: `BenchmarkError` when the echo differs, or a handshake that should continue another one does not.
    func times(of start: SessionStart, message: ByteBuffer) async throws -> StartTimes {
        let memory = start.isResumed ? self.memories[start.family] : nil
        switch start.family {
        case .webTransport: return try await self.webTransportTimes(start, memory, message)
        case .webSocket, .webSocketHTTP2:
            let begin = NIODeadline.now()
            let session = try await self.openWebSocket(start.family, resuming: memory)
            return try await self.times(of: start, session, since: begin, message)
        case .webSocketHTTP3:
            var configuration = self.webTransport
            configuration.resumption = memory
            let begin = NIODeadline.now()
            let client = try await WebTransportClient.bind(
                configuration: configuration,
                eventLoop: self.eventLoop,
                logger: Self.silence
            )
            do {
                let session = try await self.openWebSocket(over: client)
                let times = try await self.times(of: start, session, since: begin, message)
                await client.close()
                return times
            } catch {
                await client.close()
                throw error
            }
        }
    }

    private func webTransportTimes(
        _ start: SessionStart,
        _ memory: ResumptionStore?,
        _ message: ByteBuffer
    ) async throws -> StartTimes {
        var configuration = self.webTransport
        configuration.resumption = memory
        let configured = configuration
        return try await self.explaining(self.target.webTransportURL) {
            let begin = NIODeadline.now()
            return try await WebTransportClient.withSession(
                to: self.target.webTransportURL,
                configuration: configured,
                eventLoopGroup: self.eventLoop,
                logger: Self.silence
            ) { session in
                let opened = NIODeadline.now()
                var path = WebTransportStreamPath(try await session.openBidirectionalStream())
                let echoed = try await Self.echo(message, &path)
                try Self.check(try await session.statistics().isResumed, start)
                return StartTimes(session: begin.nanoseconds(to: opened), firstEcho: begin.nanoseconds(to: echoed))
            }
        }
    }

    /// The session is closed in the end.
    private func times(
        of start: SessionStart,
        _ session: WebSocketSession,
        since begin: NIODeadline,
        _ message: ByteBuffer
    ) async throws -> StartTimes {
        let opened = NIODeadline.now()
        do {
            var path = WebSocketPath(session)
            let echoed = try await Self.echo(message, &path)
            try Self.check(session.isResumed, start)
            session.close()
            _ = await session.closed
            return StartTimes(session: begin.nanoseconds(to: opened), firstEcho: begin.nanoseconds(to: echoed))
        } catch {
            session.close()
            _ = await session.closed
            throw error
        }
    }

    /// Begins a session in this way once or twice: the first of a kind has nothing to continue, and what a later one
    /// continues comes before its echo.
    /// - Returns: whether the target lets sessions begin so.
    func canBegin(_ start: SessionStart, message: ByteBuffer) async throws -> Bool {
        for _ in 0..<2 {
            do {
                _ = try await self.times(of: start, message: message)
                return true
            } catch let error as BenchmarkError where error.code == .notResumed {
                continue
            }
        }
        return false
    }

    @concurrent private static func echo(_ message: ByteBuffer, _ path: inout some EchoPath) async throws -> NIODeadline
    {
        switch try await path.roundTrip(message) {
        case .received(let echo, let time):
            guard echo == message else { throw BenchmarkError.mismatch(sent: message, received: echo) }
            return time
        case .lost: preconditionFailure("only datagrams are lost")
        }
    }

    private static func check(_ isResumed: Bool, _ start: SessionStart) throws(BenchmarkError) {
        guard isResumed == start.isResumed else {
            throw BenchmarkError(
                .notResumed,
                "the target does not resume TLS sessions any more, which \(start.rawValue) is about; see its log"
            )
        }
    }

    // MARK: Errors

    /// Says of what went wrong on the way to a session that there is none.
    private func explaining<Result: Sendable>(
        _ url: String,
        _ body: () async throws -> Result
    ) async throws -> Result {
        do {
            return try await body()
        } catch let error as CancellationError {
            throw error
        } catch let error as BenchmarkError {
            throw error
        } catch {
            try Task.checkCancellation()
            throw BenchmarkError(.unavailable, "\(url) gives no session: \(error)")
        }
    }

    /// Says of what went wrong with a session that it has ended.
    private static func translating(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as WebSocketError {
            throw BenchmarkError.ended("\(error)")
        } catch let error as WebTransportError {
            throw BenchmarkError.ended("\(error)")
        }
    }
}

extension NIODeadline {
    fileprivate func nanoseconds(to later: NIODeadline) -> UInt64 { UInt64(max(0, (later - self).nanoseconds)) }
}
