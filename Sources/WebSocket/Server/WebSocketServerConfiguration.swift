public import CoreMetrics
public import Credentials
public import HTTPSemantics
public import HTTPTypes
public import NIOCore

/// What a `WebSocketServer` listens on and how it answers.
public struct WebSocketServerConfiguration: Sendable {
    /// One address to listen on.
    public struct Listener: Sendable {
        /// The certificate and ticket key of a listener that speaks TLS.
        public struct TLS: Sendable {
            /// Each new connection takes the current identity and keeps it.
            public var identities: IdentityStore
            /// Without a key, sessions cannot be resumed.
            public var tickets: SessionTicketKey?

            /// Names the certificates. With `tickets` clients may resume their sessions.
            public init(identities: IdentityStore, tickets: SessionTicketKey? = nil) {
                self.identities = identities
                self.tickets = tickets
            }
        }

        /// A name or an address; `::` is all addresses of both kinds.
        public var host: String
        /// 0 picks a free one.
        public var port: Int
        /// The certificates to show; nil listens without TLS.
        public var tls: TLS?
        /// Answers GET and HEAD over HTTP/1.1 here; nil leaves it to the server's `resources`.
        public var resources: ResourceHandler?

        /// Names the address; port 0 picks a free one.
        public init(host: String, port: Int, tls: TLS? = nil, resources: ResourceHandler? = nil) {
            self.resources = resources
            self.host = host
            self.port = port
            self.tls = tls
        }
    }

    /// Where to listen; all are opened, or none.
    public var listeners: [Listener]
    /// Answers GET and HEAD.
    public var resources: ResourceHandler
    /// Decides on WebSockets, after the origin policy.
    public var admission: SessionAdmissionHandler
    /// Which pages may open sessions and read resources.
    public var originPolicy: OriginPolicy
    /// Added to every response but 101, such as `Alt-Svc`.
    public var responseFields: HTTPFields

    /// How messages are compressed for clients that offer it. Nil: not at all; see `WebSocketCompression` for the
    /// reasons.
    public var compression: WebSocketCompression?
    /// A peer can make a session hold this much, decompressed. 1 MiB is more than real-time messages need; larger
    /// things are for HTTP.
    public var maxMessageSize = 1 << 20
    /// Further upgrades get 429. A session costs some ten kilobytes and a file descriptor.
    public var maxSessions = 10_000
    /// How long a TLS handshake may take: over the worst mobile link it takes less.
    public var handshakeTimeout = TimeAmount.seconds(10)
    /// How long the first request of a connection may then take to arrive whole: a person's slow link sends a request
    /// in far less, and a peer that sends a byte at a time must not hold a connection.
    public var requestTimeout = TimeAmount.seconds(10)
    /// How long a connection may wait for its next request, until that has arrived whole. Longer than the time a page
    /// needs to fetch what it names, shorter than the minute after which home routers forget connections.
    public var keepAliveTimeout = TimeAmount.seconds(30)
    /// A session whose peer is silent for so long is asked for a sign of life, and given up after as long again.
    /// Shorter than the minute after which proxies and home routers forget connections. Nil never asks.
    public var pingInterval: TimeAmount? = .seconds(30)
    /// How long a peer may take to answer a Close frame and let the connection end.
    public var closeTimeout = TimeAmount.seconds(5)
    /// How long sessions may take to end in a graceful shutdown.
    public var gracePeriod = TimeAmount.seconds(10)
    /// Receives the server's metrics; nil is what `MetricsSystem` was given.
    public var metrics: (any MetricsFactory)?

    /// Begins with the defaults; other properties are set afterwards.
    public init(
        listeners: [Listener],
        resources: @escaping ResourceHandler = { _ in .text(.notFound, "not found\n") },
        admission: @escaping SessionAdmissionHandler = { _ in .accept() },
        originPolicy: OriginPolicy = OriginPolicy(),
        responseFields: HTTPFields = [:]
    ) {
        self.listeners = listeners
        self.resources = resources
        self.admission = admission
        self.originPolicy = originPolicy
        self.responseFields = responseFields
    }
}
