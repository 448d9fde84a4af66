package import Credentials
package import NIOCore

/// How a sender adapts to the path (RFC 9002 § 7).
package enum CongestionControlAlgorithm: Sendable, Hashable {
    case cubic
    case bbr
}

/// When a server makes a client prove its address before it keeps state for it (RFC 9000 § 8.1.2).
package enum RetryPolicy: Sendable, Hashable {
    /// When at least that many handshakes of this endpoint are under way, or have failed a moment ago.
    case auto(halfOpenThreshold: Int)
    case always
    case never
}

/// Receives one connection's qlog, as JSON text in pieces; the last call has no bytes.
package typealias QlogWriter = (UnsafeRawBufferPointer) -> Void

/// What holds for every connection of an endpoint.
package struct TransportConfiguration: Sendable {
    /// Silence after which a connection ends (RFC 9000 § 10.1). Browsers send a PING every 15 s.
    package var idleTimeout: TimeAmount = .seconds(30)
    /// Time for a handshake, so that unfinished ones do not pile up.
    package var handshakeTimeout: TimeAmount = .seconds(10)
    package var congestionControl: CongestionControlAlgorithm = .cubic
    /// Flow-control credit of a connection, in bytes; it grows with the path up to three times this.
    package var maxConnectionData: UInt64 = 8 << 20
    /// Flow-control credit of a stream, in bytes; it grows with the path up to eight times this.
    package var maxStreamData: UInt64 = 2 << 20
    /// Streams of each kind that a peer may have open at once. Chromium fails a stream instead of waiting at the limit.
    package var maxStreams: UInt64 = 1024
    /// A client behind a NAT that rebinds needs spare IDs on both sides (RFC 9000 § 9.5).
    static let activeConnectionIDLimit: UInt64 = 7
    /// Datagram frames accepted, in bytes including their header (RFC 9221 § 3).
    package var maxDatagramFrameSize: UInt64 = 65535
    /// Datagrams that wait to be sent; beyond it the oldest is dropped.
    package var maxQueuedDatagrams = 1024
    /// Sends a PING this long after the last packet; nil leaves it to the peer.
    package var keepAlive: TimeAmount?
    /// Makes the qlog writer of a new connection.
    package var makeQlogWriter: (@Sendable (_ originalDestinationID: ConnectionID, _ isServer: Bool) -> QlogWriter?)?

    package init() {}
}

/// What a server's endpoint needs to accept connections.
package struct ServerConfiguration: Sendable {
    package var transport: TransportConfiguration
    /// The identity for the next connection; it may change while the server runs.
    package var identities: IdentityStore
    /// An endpoint binds it to `earlyDataTerms`: the tickets of a server that has promised something else are not
    /// taken.
    package var ticketKey: SessionTicketKey
    /// Takes early data when it is set, and then only what it lets pass.
    package var replayFilter: ReplayFilter?
    /// What the application promises to clients that send data early, in a form of its own.
    package var applicationTerms: [UInt8] = []
    package var applicationProtocols: [String]
    package var retry: RetryPolicy = .auto(halfOpenThreshold: 128)
    /// Connections an endpoint keeps; beyond it new ones are refused (CONNECTION_REFUSED).
    package var maxConnections = 10_000
    /// Handshakes of an endpoint that may be under way; beyond it new connections are refused. One holds some 110 kB
    /// for as long as `handshakeTimeout`, and Retry only makes sure that somebody is at the other end.
    package var maxHandshakes = 2048

    package init(
        transport: TransportConfiguration,
        identities: IdentityStore,
        ticketKey: SessionTicketKey,
        applicationProtocols: [String]
    ) {
        self.transport = transport
        self.identities = identities
        self.ticketKey = ticketKey
        self.applicationProtocols = applicationProtocols
    }

    /// What a client may assume when it sends data early: the limits that RFC 9000 § 7.4.1 has it remember, and the
    /// application's. A server must not take early data that relies on others.
    var earlyDataTerms: [UInt8] {
        let limits = [
            self.transport.maxConnectionData, self.transport.maxStreamData, self.transport.maxStreams,
            self.transport.maxDatagramFrameSize, TransportConfiguration.activeConnectionIDLimit,
        ]
        return limits.flatMap { limit in (0..<8).map { UInt8(truncatingIfNeeded: limit >> (8 * $0)) } }
            + self.applicationTerms
    }
}

/// What a client needs for one connection.
package struct ClientConfiguration: Sendable {
    package var transport: TransportConfiguration
    package var credentials: ClientCredentials
    /// The name or address to verify the server against, and to send as SNI when it is a name.
    package var serverName: String
    package var applicationProtocols: [String]
    /// Where tickets and tokens are kept for later connections, and taken from for this one.
    package var resumption: ResumptionStore?
    /// Sends data before the handshake when a ticket allows it. It may arrive more than once (RFC 9001 § 9.2).
    package var sendsEarlyData = false

    package init(
        transport: TransportConfiguration,
        credentials: ClientCredentials,
        serverName: String,
        applicationProtocols: [String]
    ) {
        self.transport = transport
        self.credentials = credentials
        self.serverName = serverName
        self.applicationProtocols = applicationProtocols
    }
}
