import Credentials
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
    /// Of the sessions whose handshakes are to be resumed.
    private let memory = ResumptionStore()

    /// Nothing is logged: errors are reported by who gets them.
    private static let silence = Logger(label: "apus.bench") { _ in SwiftLogNoOpLogHandler() }

    /// Sessions are idle while other transports have their turns. Servers end a connection after 30 s of silence.
    private static let keepAlive = TimeAmount.seconds(10)

    init(target: BenchmarkTarget, eventLoop: any EventLoop) {
        self.target = target
        self.eventLoop = eventLoop
        self.webTransport = WebTransportClient.Configuration(credentials: target.credentials)
        self.webSocket = WebSocketClientConfiguration(credentials: target.credentials)
    }

    /// A session that is closed by the caller.
    func openWebSocket() async throws -> WebSocketSession {
        try await self.explaining(self.target.webSocketURL) {
            try await WebSocketClient.connect(
                to: self.target.webSocketURL,
                configuration: self.webSocket,
                eventLoopGroup: self.eventLoop
            )
        }
    }

    /// A session for the time of `body`.
    func withWebTransport(
        _ body: @concurrent @Sendable (WebTransportSession) async throws -> Void
    ) async throws {
        var configuration = self.webTransport
        configuration.transport.keepAlive = Self.keepAlive
        let configured = configuration
        let (client, session) = try await self.explaining(self.target.webTransportURL) {
            let client = try await WebTransportClient.bind(
                configuration: configured,
                eventLoop: self.eventLoop,
                logger: Self.silence
            )
            do {
                return (client, try await client.connect(to: self.target.webTransportURL))
            } catch {
                await client.close()
                throw error
            }
        }
        do {
            try await body(session)
            await client.close()
        } catch {
            await client.close()
            throw error
        }
    }

    /// Opens a session, has one message echoed, closes it, and tells how long that took from the beginning.
    /// - Throws: `BenchmarkError` when the echo differs, or a handshake that should continue another one does not.
    func times(of start: SessionStart, message: ByteBuffer) async throws -> StartTimes {
        switch start.family {
        case .webTransport:
            var configuration = self.webTransport
            if start.isResumed { configuration.resumption = self.memory }
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
        case .webSocket:
            var configuration = self.webSocket
            if start.isResumed { configuration.resumption = self.memory }
            let configured = configuration
            return try await self.explaining(self.target.webSocketURL) {
                let begin = NIODeadline.now()
                return try await WebSocketClient.connect(
                    to: self.target.webSocketURL,
                    configuration: configured,
                    eventLoopGroup: self.eventLoop
                ) { session in
                    let opened = NIODeadline.now()
                    var path = WebSocketPath(session)
                    let echoed = try await Self.echo(message, &path)
                    try Self.check(session.isResumed, start)
                    return StartTimes(session: begin.nanoseconds(to: opened), firstEcho: begin.nanoseconds(to: echoed))
                }
            }
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
                "the target has stopped to resume TLS sessions, which \(start.rawValue) is about; see its log"
            )
        }
    }

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
}

extension NIODeadline {
    fileprivate func nanoseconds(to later: NIODeadline) -> UInt64 { UInt64(max(0, (later - self).nanoseconds)) }
}
