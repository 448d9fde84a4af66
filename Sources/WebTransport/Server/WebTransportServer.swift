public import CoreMetrics
public import Credentials
import Glibc
import HTTP3
public import HTTPSemantics
import HTTPTypes
public import Logging
import LoopConcurrency
import NIOConcurrencyHelpers
public import NIOCore
import NIOPosix
import QUIC
import WebTransportCore

/// A WebTransport and HTTP/3 server (draft-ietf-webtrans-http3; RFC 9114).
///
/// `bind` opens the sockets; `run` serves sessions until `beginGracefulShutdown` or until its task is cancelled. There
/// is one UDP socket for each event loop, all on one port; the kernel spreads clients over them.
public final class WebTransportServer: Sendable {
    /// How a server behaves. Every limit has a default.
    public struct Configuration: Sendable {
        /// Where to listen. `::` takes IPv4 as well.
        public var host: String
        /// The UDP port; 0 lets the system choose.
        public var port: Int
        /// The certificate for new connections. It may be replaced while the server runs.
        public var identities: IdentityStore
        /// Decides on requests for sessions that the origin policy has let through. The default accepts all.
        public var admission: SessionAdmissionHandler = { _ in .accept() }
        /// Which web origins may open sessions.
        public var originPolicy = OriginPolicy()
        /// Answers GET and HEAD. The default knows nothing.
        public var resources: ResourceHandler = { _ in .text(.notFound, "not found\n") }
        /// Takes requests for tunnels of another protocol than WebTransport. Without it they are refused with 501.
        package var tunnels: TunnelService?
        /// Sessions at one time; beyond it they are refused with 429. One takes about 140 kB.
        ///
        /// It bounds connections, too: there may be as many, and a thousand more for those that only ask for resources
        /// or have yet to ask for anything. Beyond it they are refused with CONNECTION_REFUSED (RFC 9000 § 20.1). Each
        /// of several loops refuses for itself, a quarter and 128 connections above its share, since the kernel spreads
        /// clients at random.
        public var maxSessions = 10_000
        /// Connections beside those of sessions.
        package var connectionsBesideSessions = 1_000
        /// What the connections of a loop may hold.
        package var outputAllowance = OutputAllowance()
        package var inboundMemory = InboundMemory()
        /// How long a request may take to arrive whole, from its first byte. A person's slow link sends one in far
        /// less, and a peer that sends a byte at a time must not hold a stream for ever. A session's stream is whole
        /// with its header fields.
        public var requestTimeout = TimeAmount.seconds(10)
        /// How QUIC connections behave.
        public var transport = TransportOptions()
        /// When clients must prove their address before the server keeps state for them (RFC 9000 § 8.1.2).
        public var retry = RetryMode.auto(halfOpenThreshold: 128)
        /// Time for sessions to end by themselves after `beginGracefulShutdown`.
        public var gracePeriod = TimeAmount.seconds(2)
        /// Where session handlers run.
        public var handlerExecution = HandlerExecution.eventLoop
        /// Receives the server's metrics, at most once a second; nil is what `MetricsSystem` was given.
        public var metrics: (any MetricsFactory)?

        /// Names the address and the certificates; port 0 picks a free one, `::` takes IPv4 as well.
        public init(host: String = "::", port: Int, identities: IdentityStore) {
            self.host = host
            self.port = port
            self.identities = identities
        }

        /// How many connections each of several loops may have. The kernel spreads clients at random: a loop may get a
        /// quarter more than its share, and of few connections all.
        fileprivate func connections(ofEachOf loops: Int) -> Int {
            // More than there are addresses: a limit that is none must not overflow.
            let all = min(max(0, self.maxSessions), 1 << 40) + self.connectionsBesideSessions
            return min(all, all / loops * 5 / 4 + 128)
        }
    }

    /// Where session handlers run.
    public enum HandlerExecution: Sendable {
        /// On their connection's loop: fastest, but a handler must not block.
        case eventLoop
        /// On the global pool: each message costs two thread switches.
        case concurrent
    }

    /// When a server sends Retry.
    public enum RetryMode: Sendable, Hashable {
        /// When that many handshakes are under way.
        case auto(halfOpenThreshold: Int)
        case always
        case never
    }

    /// Connection IDs name the endpoint in one byte.
    private static let maxEndpoints = 256

    /// The address that the server listens on.
    public let localAddress: SocketAddress

    let endpoints: [NIOLoopBound<UDPEndpoint>]
    /// Those that are left.
    private let socketCount: NIOLockedValueBox<Int>
    private let arrivals: Mailbox<WebTransportSession>
    private let context: ServerContext
    private let configuration: Configuration
    private let logger: Logger

    /// Opens the sockets. Nothing is accepted before `run`.
    /// - Throws: `WebTransportError` with `bindFailed` when the address or port cannot be had; all sockets are closed.
    public static func bind(
        configuration: Configuration,
        eventLoopGroup: any EventLoopGroup,
        logger: Logger
    ) async throws -> WebTransportServer {
        let arrivals = Mailbox<WebTransportSession>(lowWatermark: 1, highWatermark: .max)
        let context = ServerContext(configuration: configuration, arrivals: arrivals.source, logger: logger)
        let loops = Array(eventLoopGroup.makeIterator().prefix(Self.maxEndpoints))
        let handovers = loops.map { _ in DatagramHandover() }
        var server = ServerConfiguration(
            transport: configuration.transport.quic,
            identities: configuration.identities,
            ticketKey: try SessionTicketKey(),
            applicationProtocols: ["h3"]
        )
        // A client relies on nothing else that could differ from one server with this key to the next.
        server.applicationTerms = RememberedSettings(context.offer.http3Settings).encoded
        if configuration.transport.earlyData { server.replayFilter = ReplayFilter() }
        server.retry =
            switch configuration.retry {
            case .auto(let threshold): .auto(halfOpenThreshold: max(1, threshold / loops.count))
            case .always: .always
            case .never: .never
            }
        server.maxConnections = configuration.connections(ofEachOf: loops.count)
        server.maxHandshakes = max(128, server.maxHandshakes / loops.count)
        let secrets = EndpointSecrets(resetKey: try Self.resetKey(configuration))
        let socketCount = NIOLockedValueBox(loops.count)
        var address = try await resolve(configuration.host, port: configuration.port)
        var endpoints: [NIOLoopBound<UDPEndpoint>] = []
        do {
            for (index, loop) in loops.enumerated() {
                let (server, wanted) = (server, address)
                let (endpoint, bound) = try await loop.flatSubmit {
                    loop.makeCompletedFuture {
                        let endpoint = try UDPEndpoint(
                            eventLoop: loop,
                            core: Endpoint(
                                index: UInt8(index),
                                of: loops.count,
                                secrets: secrets,
                                server: server
                            ),
                            handovers: handovers,
                            address: wanted,
                            sharing: index > 0 ? .joins : loops.count > 1 ? .first : .none,
                            outputAllowance: configuration.outputAllowance,
                            inboundMemory: configuration.inboundMemory,
                            metrics: configuration.metrics ?? MetricsSystem.factory,
                            logger: logger,
                            onSocketLoss: {
                                let left = socketCount.withLockedValue { count in
                                    count -= 1
                                    return count
                                }
                                // The others go on, and the kernel gives them new clients.
                                if left == 0 { arrivals.source.finish() }
                            }
                        ) { PeerConnection(quic: $0, endpoint: $1, role: .server(context)) }
                        return NIOLoopBound(endpoint, eventLoop: loop)
                    }.flatMap { endpoint in endpoint.value.open().map { @Sendable in (endpoint, $0) } }
                }.get()
                endpoints.append(endpoint)
                // The others share the port that the first one got.
                address = bound
            }
        } catch {
            await Self.close(endpoints)
            let failure = ListenFailure("UDP", host: configuration.host, port: configuration.port, error)
            throw WebTransportError(.bindFailed, failure.description)
        }
        return WebTransportServer(
            localAddress: address,
            endpoints: endpoints,
            socketCount: socketCount,
            arrivals: arrivals,
            context: context,
            configuration: configuration,
            logger: logger
        )
    }

    /// The same after a restart, and another for any other server, though it has the same certificate: it could be asked
    /// for the tokens of this one's connections, and so end them (RFC 9000 § 10.3.2).
    private static func resetKey(_ configuration: Configuration) throws(CredentialsError) -> [UInt8] {
        // Names longer than the system allows do not exist.
        var name = [CChar](repeating: 0, count: Int(HOST_NAME_MAX) + 1)
        gethostname(&name, name.count - 1)
        let machine = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        let place = "\(configuration.host) port \(configuration.port) of \(machine)"
        return try configuration.identities.current.secret(for: "apus stateless reset at \(place)")
    }

    private init(
        localAddress: SocketAddress,
        endpoints: [NIOLoopBound<UDPEndpoint>],
        socketCount: NIOLockedValueBox<Int>,
        arrivals: Mailbox<WebTransportSession>,
        context: ServerContext,
        configuration: Configuration,
        logger: Logger
    ) {
        self.localAddress = localAddress
        self.endpoints = endpoints
        self.socketCount = socketCount
        self.arrivals = arrivals
        self.context = context
        self.configuration = configuration
        self.logger = logger
    }

    /// Serves until shutdown. Each session's handler is a task of its own; the session is closed when it returns, with
    /// code 0, or throws, with code 1. When this function returns all sessions have ended and the sockets are closed.
    /// - Throws: `WebTransportError` with `socketLost` when the system has taken all sockets away.
    public func run(handler: @escaping @Sendable (WebTransportSession) async throws -> Void) async throws {
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { group in
                for await session in self.arrivals {
                    switch self.configuration.handlerExecution {
                    case .eventLoop:
                        group.addTask(executorPreference: EventLoopTaskExecutor(session.eventLoop)) {
                            await self.serve(session, handler)
                        }
                    case .concurrent:
                        group.addTask { await self.serve(session, handler) }
                    }
                }
                // The sessions are closed by now. A handler that waits for something else must not hold up the end.
                group.cancelAll()
            }
        } onCancel: {
            self.closeSessions()
        }
        let settled = self.endpoints.map { endpoint in
            endpoint.eventLoop.flatSubmit { endpoint.value.settled(within: Self.settlingTime) }
        }
        // It only ever succeeds.
        try? await EventLoopFuture.andAllComplete(settled, on: self.endpoints[0].eventLoop).get()
        await Self.close(self.endpoints)
        guard self.socketCount.withLockedValue({ $0 > 0 }) else {
            throw WebTransportError(.socketLost, "the server has lost its UDP sockets; the log says when")
        }
    }

    /// Time for clients to answer a close, without which they would not learn its reason.
    private static let settlingTime = TimeAmount.seconds(1)

    private func serve(
        _ session: WebTransportSession,
        _ handler: @Sendable (WebTransportSession) async throws -> Void
    ) async {
        do {
            try await handler(session)
            session.close()
        } catch {
            self.logger.debug("session handler failed", metadata: [LoggingKeys.error: "\(error)"])
            session.close(code: 1, reason: "internal error")
        }
    }

    /// Begins to shut down in order: sessions are asked to finish (WT_DRAIN_SESSION), no new ones are accepted, and
    /// what is left after the grace period is closed. `run` then returns; without sessions it does so at once. A second
    /// call has no effect.
    public func beginGracefulShutdown() {
        // A closure that runs once, on any of the loops.
        let timeout = self.endpoints[0].eventLoop.scheduleTask(in: self.configuration.gracePeriod) {
            self.closeSessions()
        }
        let hasBegun = self.context.sessions.beginDraining {
            timeout.cancel()
            self.closeSessions()
        }
        // The first call's is cancelled by the end of the last session, this one by nothing.
        guard hasBegun else { return timeout.cancel() }
        self.forEachEndpoint { $0.drainSessions() }
    }

    /// Closes what is left, and lets `run` come to its end.
    private func closeSessions() {
        let closed = self.endpoints.map { endpoint in
            endpoint.eventLoop.submit {
                endpoint.value.close(sessions: SessionClose(code: 0, reason: "server shutting down"))
            }
        }
        // Not before: `run` cancels the handlers then, and one that returns closes its session without a reason.
        EventLoopFuture.andAllComplete(closed, on: self.endpoints[0].eventLoop).whenComplete { _ in
            self.arrivals.source.finish()
        }
    }

    private func forEachEndpoint(_ work: @escaping @Sendable (UDPEndpoint) -> Void) {
        for endpoint in self.endpoints { endpoint.eventLoop.execute { work(endpoint.value) } }
    }

    private static func close(_ endpoints: [NIOLoopBound<UDPEndpoint>]) async {
        for endpoint in endpoints {
            // A socket that is closed already is what we want.
            try? await endpoint.eventLoop.flatSubmit { endpoint.value.close() }.get()
        }
    }
}
