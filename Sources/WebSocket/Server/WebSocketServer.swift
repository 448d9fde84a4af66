import HTTPSemantics
import HTTPTypes
public import Logging
import LoopConcurrency
public import NIOCore
import NIOHTTP1
import NIOPosix
import TLS

/// A server for WebSocket and plain HTTP resources: HTTP/2 and HTTP/1.1 over TLS, HTTP/1.1 without.
///
/// ```swift
/// let server = try await WebSocketServer.bind(configuration: configuration, eventLoopGroup: group, logger: logger)
/// try await server.run { session in
///     for await message in session.messages { try await session.send(message) }
/// }
/// ```
///
/// A session's handler runs on the event loop of its connection: every `await` in it resumes there, without a thread
/// hop, and it must not block.
public final class WebSocketServer: Sendable {
    let core: ServerCore
    private let eventLoopGroup: any EventLoopGroup
    /// Where each listener listens, in the configuration's order.
    public let localAddresses: [SocketAddress]

    private init(core: ServerCore, eventLoopGroup: any EventLoopGroup, localAddresses: [SocketAddress]) {
        self.core = core
        self.eventLoopGroup = eventLoopGroup
        self.localAddresses = localAddresses
    }

    /// Opens all listeners, or none. Connections wait in the kernel's queue until `run`.
    ///
    /// A server that will not be run is given up with `beginGracefulShutdown()`.
    /// - Throws: `WebSocketError` with the code `bindFailed` or `unknownHost`, which names the address and the reason.
    public static func bind(
        configuration: WebSocketServerConfiguration,
        eventLoopGroup: any EventLoopGroup,
        logger: Logger
    ) async throws -> WebSocketServer {
        let core = ServerCore(configuration: configuration, logger: logger)
        var addresses: [SocketAddress] = []
        for listener in configuration.listeners {
            do {
                let channel = try await Self.bind(Self.bootstrap(listener, core, eventLoopGroup), to: listener)
                core.add(listener: channel)
                guard let address = channel.localAddress else { throw ChannelError.ioOnClosedChannel }
                addresses.append(address)
            } catch {
                core.beginDraining()
                let failure = ListenFailure("TCP", host: listener.host, port: listener.port, error)
                throw WebSocketError(
                    code: failure.isOfUnknownHost ? .unknownHost : .bindFailed,
                    message: failure.description
                )
            }
        }
        return WebSocketServer(core: core, eventLoopGroup: eventLoopGroup, localAddresses: addresses)
    }

    private static func bind(
        _ bootstrap: ServerBootstrap,
        to listener: WebSocketServerConfiguration.Listener
    ) async throws -> any Channel {
        // What is no address is a name. An address is not looked up: the resolver knows no `::1` while that is the only
        // IPv6 address of the machine that is ready.
        guard let address = try? SocketAddress(ipAddress: listener.host, port: listener.port) else {
            return try await bootstrap.bind(host: listener.host, port: listener.port).get()
        }
        return try await bootstrap.bind(to: address).get()
    }

    /// Accepts connections and serves sessions, until `beginGracefulShutdown()` has ended them or the task is
    /// cancelled.
    ///
    /// A session closes when its handler returns (1000) or throws (1011).
    /// - Throws: `CancellationError` when the task is cancelled; then connections end without ceremony.
    public func run(handler: @escaping @Sendable (WebSocketSession) async throws -> Void) async throws {
        let loop = self.eventLoopGroup.next()
        let core = self.core
        for listener in core.beginRunning() {
            // It fails only for a listener that is closed, and so is the server then.
            try? await listener.setOption(.autoRead, value: true).get()
            listener.read()
        }
        await withTaskCancellationHandler {
            // On a loop, so that a new session's way to its handler does not lead through another thread pool.
            await withTaskExecutorPreference(EventLoopTaskExecutor(loop)) {
                await withDiscardingTaskGroup { group in
                    for await session in core.accepted {
                        group.addTask(executorPreference: EventLoopTaskExecutor(session.eventLoop)) {
                            await Self.serve(session, handler, core.logger)
                        }
                    }
                    await core.waitUntilDrained(within: core.configuration.gracePeriod, on: loop)
                    group.cancelAll()
                }
            }
        } onCancel: {
            core.beginDraining()
            core.endMembers()
        }
        try Task.checkCancellation()
    }

    /// Stops accepting, closes every session with 1001, and lets `run` return when they have ended, at the latest after
    /// the configuration's grace period.
    public func beginGracefulShutdown() {
        self.core.beginDraining()
    }

    private static func serve(
        _ session: WebSocketSession,
        _ handler: @Sendable (WebSocketSession) async throws -> Void,
        _ logger: Logger
    ) async {
        do {
            try await handler(session)
            // Most handlers end without an error when they are cancelled: their messages end.
            try Task.checkCancellation()
            session.close(code: .normal)
        } catch let error as WebSocketError where error.code == .closed {
            // The peer has gone while the handler was sending: the usual end of a handler that only sends.
        } catch is CancellationError {
            session.close(code: .goingAway, reason: "the server is shutting down")
        } catch {
            session.close(code: .internalError, reason: "the session's handler failed")
            let path = session.request.path ?? ""
            logger.warning(
                "a session's handler failed",
                metadata: [LoggingKeys.error: "\(error)", LoggingKeys.path: "\(path)"]
            )
        }
    }

    private static func bootstrap(
        _ listener: WebSocketServerConfiguration.Listener,
        _ core: ServerCore,
        _ group: any EventLoopGroup
    ) -> ServerBootstrap {
        ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // `run` turns it on.
            .serverChannelOption(.autoRead, value: false)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptPause(core.logger))
                }
            }
            .childChannelOption(.writeBufferWaterMark, value: Self.writeBufferWatermark)
            .childChannelOption(.tcpOption(Self.tcpNotSentLowWatermark), value: 128 << 10)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard core.connectionOpened(channel) else { throw ChannelError.ioOnClosedChannel }
                    channel.closeFuture.whenComplete { _ in core.connectionClosed(channel) }
                    try Self.configure(channel, listener, core)
                }
            }
    }

    /// TCP_NOTSENT_LOWAT of Linux, which NIO does not name: the kernel asks for more when less than this is still to be
    /// sent. Else it takes megabytes for a peer that does not read, and tells only when a third of them is gone.
    private static let tcpNotSentLowWatermark = NIOBSDSocket.Option(rawValue: 25)

    /// Enough for the network to be busy while the loop is; little enough that a thousand slow readers fit in memory.
    static let writeBufferWatermark = ChannelOptions.Types.WriteBufferWaterMark(low: 64 << 10, high: 256 << 10)
}
