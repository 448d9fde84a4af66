public import Credentials
public import HTTPSemantics
import HTTPTypes
public import Logging
public import NIOCore
import NIOPosix
public import ServiceLifecycle
import WebSocket
public import WebTransport

/// The whole server: WebTransport and HTTP/3 over QUIC, HTTP/2 and HTTP/1.1 over TLS on the same port, HTTP/1.1 plain
/// on a second port of the loopback interface, and WebSocket over all of them; the demonstration endpoints and the lab
/// page.
public struct ApusServer: Service {
    /// Where and how to listen.
    public struct Configuration: Sendable {
        /// Where to listen for QUIC and TLS. `::` takes IPv4 as well.
        public var host = "::"
        /// UDP for QUIC and TCP for TLS; 0 picks one that is free for both.
        public var port = 4433
        /// Plain HTTP and WebSocket, on loopback only; 0 picks a free one.
        public var httpPort = 8080
        /// Which pages may open sessions and read resources.
        public var originPolicy = OriginPolicy()
        /// When clients must prove their address before anything is kept of them.
        public var retry = WebTransportServer.RetryMode.auto(halfOpenThreshold: 128)
        /// Sessions of each transport at one time; further ones are refused with 429.
        public var maxSessions = 10_000
        /// The largest message that a WebSocket takes, in bytes.
        public var maxMessageSize = 1 << 20
        /// Whether WebSockets compress for clients that offer it, as all browsers do. Off: the lab page compares
        /// transports by sending the same bytes over each.
        public var compressesWebSockets = false
        /// How QUIC connections behave.
        public var transport = TransportOptions()
        /// Receives the metrics of both transports, and shows them at `/metrics` of the plain port; nil has neither,
        /// unless `MetricsSystem` was given another receiver.
        public var metrics: PrometheusRegistry?
        /// Adds `/test/…`.
        public var testEndpoints = false
        /// Keeps this development certificate fresh; nil for a certificate that somebody else looks after.
        public var development: DevelopmentIdentity?

        /// The defaults are those of the command `apus serve`.
        public init() {}
    }

    /// The names of all metrics, each with one sentence that says what it counts.
    public static var metricDescriptions: [String: String] {
        WebTransportServer.metricDescriptions.merging(WebSocketServer.metricDescriptions) { first, _ in first }
    }

    /// The port of QUIC and TLS.
    public let port: Int
    /// The port of plain HTTP.
    public let httpPort: Int
    /// The certificates that connections get and pages are told of.
    public let identities: IdentityStore

    private let host: String
    private let quic: WebTransportServer
    private let tcp: WebSocketServer
    private let routes: SessionRoutes
    private let development: DevelopmentIdentity?
    private let logger: Logger

    /// Opens all listeners, or none.
    /// - Throws: an error whose description is one sentence that says what to do.
    public static func bind(
        configuration: Configuration,
        identities: IdentityStore,
        eventLoopGroup: any EventLoopGroup,
        logger: Logger
    ) async throws -> ApusServer {
        let routes = SessionRoutes(includesTestEndpoints: configuration.testEndpoints)
        let site = Site(
            lab: try LabPage(),
            identities: identities,
            sessionPaths: routes.paths,
            includesTestEndpoints: configuration.testEndpoints
        )
        var attempt = 1
        while true {
            var configuration = configuration
            // A free port must be free for UDP and TCP alike, so one is proposed to both.
            let isChosen = configuration.port == 0 || configuration.httpPort == 0
            if configuration.port == 0 { configuration.port = .random(in: PortChoice.range) }
            if configuration.httpPort == 0 { configuration.httpPort = .random(in: PortChoice.range) }
            do {
                return try await Self.open(configuration, site, routes, identities, eventLoopGroup, logger)
            } catch  where isChosen && attempt < PortChoice.attempts {
                attempt += 1
            }
        }
    }

    private enum PortChoice {
        /// The dynamic ports (RFC 6335 § 6).
        static let range = 49_152...65_535
        /// On a machine with half of them in use, all fail once in a million starts.
        static let attempts = 20
    }

    private static func open(
        _ configuration: Configuration,
        _ site: Site,
        _ routes: SessionRoutes,
        _ identities: IdentityStore,
        _ eventLoopGroup: any EventLoopGroup,
        _ logger: Logger
    ) async throws -> ApusServer {
        let tcp = try await WebSocketServer.bind(
            configuration: Self.tcpConfiguration(configuration, site, routes, identities),
            eventLoopGroup: eventLoopGroup,
            logger: logger
        )
        var udp = WebTransportServer.Configuration(
            host: configuration.host,
            port: configuration.port,
            identities: identities
        )
        udp.admission = routes.admission
        udp.originPolicy = configuration.originPolicy
        udp.resources = site.response
        udp.maxSessions = configuration.maxSessions
        udp.transport = configuration.transport
        udp.retry = configuration.retry
        udp.metrics = configuration.metrics
        udp.tunnels = tcp.tunnels(idleTimeout: configuration.transport.idleTimeout)
        do {
            let quic = try await WebTransportServer.bind(
                configuration: udp,
                eventLoopGroup: eventLoopGroup,
                logger: logger
            )
            site.listening(port: configuration.port, httpPort: configuration.httpPort)
            return ApusServer(
                port: configuration.port,
                httpPort: configuration.httpPort,
                identities: identities,
                host: configuration.host,
                quic: quic,
                tcp: tcp,
                routes: routes,
                development: configuration.development,
                logger: logger
            )
        } catch {
            tcp.beginGracefulShutdown()
            throw error
        }
    }

    private static func tcpConfiguration(
        _ configuration: Configuration,
        _ site: Site,
        _ routes: SessionRoutes,
        _ identities: IdentityStore
    ) throws -> WebSocketServerConfiguration {
        var listeners: [WebSocketServerConfiguration.Listener] = [
            .init(
                host: configuration.host,
                port: configuration.port,
                tls: .init(identities: identities, tickets: try SessionTicketKey())
            )
        ]
        let plain = configuration.metrics.map { MetricsPage(registry: $0, others: site.response).response }
        for host in try Self.loopbackHosts() {
            listeners.append(.init(host: host, port: configuration.httpPort, resources: plain))
        }
        var tcp = WebSocketServerConfiguration(
            listeners: listeners,
            resources: site.response,
            admission: routes.admission,
            originPolicy: configuration.originPolicy,
            // RFC 7838: the same resources over HTTP/3.
            responseFields: [.init("alt-svc")!: "h3=\":\(configuration.port)\"; ma=86400"]
        )
        tcp.maxSessions = configuration.maxSessions
        tcp.maxMessageSize = configuration.maxMessageSize
        if configuration.compressesWebSockets { tcp.compression = WebSocketCompression() }
        tcp.gracePeriod = .seconds(2)
        tcp.metrics = configuration.metrics
        return tcp
    }

    /// Browsers try `::1` for `localhost` first.
    private static func loopbackHosts() throws -> [String] {
        let addresses = try System.enumerateDevices().compactMap { $0.address?.ipAddress }
        return ["127.0.0.1", "::1"].filter { addresses.contains($0) }
    }

    /// Where the lab page is, the best place first.
    ///
    /// A page opens sessions at its own host. Over TCP browsers try all addresses of `localhost`, over QUIC only the
    /// first; so the host is one at which this server listens on UDP.
    public var urls: [String] {
        let plain = { (host: String) in "http://\(host):\(self.httpPort)/" }
        let secure = { (host: String) in "https://\(host):\(self.port)/" }
        return switch self.host {
        case "::", "localhost": [plain("localhost"), secure("localhost")]
        case "0.0.0.0", "127.0.0.1": [plain("127.0.0.1"), secure("127.0.0.1")]
        case "::1": [plain("[::1]"), secure("[::1]")]
        // The plain port is on loopback only, where a page would look for its sessions in vain.
        case let host where host.contains(":"): [secure("[\(host)]")]
        case let host: [secure(host)]
        }
    }

    /// Serves until the service group or the task asks it to stop: sessions are asked to finish, then closed.
    public func run() async throws {
        let (quic, tcp, routes, logger) = (self.quic, self.tcp, self.routes, self.logger)
        try await withGracefulShutdownHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await quic.run(handler: routes.serve) }
                group.addTask { try await tcp.run(handler: routes.serve) }
                let renewal = self.development.map { development in
                    Task { try await Self.keepFresh(self.identities, development, logger) }
                }
                defer { renewal?.cancel() }
                try await group.waitForAll()
            }
        } onGracefulShutdown: {
            logger.info("Shutting down: sessions are asked to finish.")
            quic.beginGracefulShutdown()
            tcp.beginGracefulShutdown()
        }
    }

    private static func keepFresh(
        _ identities: IdentityStore,
        _ development: DevelopmentIdentity,
        _ logger: Logger
    ) async throws {
        while true {
            try await Task.sleep(for: DevelopmentIdentity.interval)
            do {
                try development.renew(identities, logger: logger)
            } catch {
                // A full disk must not stop the server; the next round tries again.
                logger.error("The development certificate could not be renewed: \(error)")
            }
        }
    }
}
