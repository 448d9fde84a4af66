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

    /// Opens a session, closes it, and tells how long the first part took: from nothing to a session that can be used.
    func timeToSession(_ family: SessionFamily) async throws -> UInt64 {
        switch family {
        case .webTransport:
            try await self.explaining(self.target.webTransportURL) {
                let start = NIODeadline.now()
                return try await WebTransportClient.withSession(
                    to: self.target.webTransportURL,
                    configuration: self.webTransport,
                    eventLoopGroup: self.eventLoop,
                    logger: Self.silence
                ) { _ in UInt64((NIODeadline.now() - start).nanoseconds) }
            }
        case .webSocket:
            try await self.explaining(self.target.webSocketURL) {
                let start = NIODeadline.now()
                return try await WebSocketClient.connect(
                    to: self.target.webSocketURL,
                    configuration: self.webSocket,
                    eventLoopGroup: self.eventLoop
                ) { _ in UInt64((NIODeadline.now() - start).nanoseconds) }
            }
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
        } catch {
            try Task.checkCancellation()
            throw BenchmarkError(.unavailable, "\(url) gives no session: \(error)")
        }
    }
}
