package import Credentials
package import NIOCore

/// A version of TLS that is spoken here.
package enum TLSVersion: Hashable, Sendable {
    case tls12
    case tls13
}

/// How a server answers TLS handshakes.
package struct TLSServerConfiguration: Sendable {
    /// Each new connection takes the current identity and keeps it.
    package var identities: IdentityStore
    /// Without a key, sessions cannot be resumed.
    package var tickets: SessionTicketKey?
    /// What the server speaks, best first. A client that offers only others is refused (RFC 7301 § 3.2); one that
    /// offers none is not.
    package var applicationProtocols: [String]
    /// Long enough for a handshake over the worst mobile link, short enough that idle connections do not pile up.
    package var handshakeTimeout: TimeAmount

    package init(
        identities: IdentityStore,
        tickets: SessionTicketKey? = nil,
        applicationProtocols: [String] = [],
        handshakeTimeout: TimeAmount = .seconds(10)
    ) {
        self.identities = identities
        self.tickets = tickets
        self.applicationProtocols = applicationProtocols
        self.handshakeTimeout = handshakeTimeout
    }
}

/// How a client begins TLS with one server.
package struct TLSClientConfiguration: Sendable {
    package var credentials: ClientCredentials
    /// The host that the user asked for, name or address.
    package var serverName: String
    /// What the client speaks, best first.
    package var applicationProtocols: [String]
    package var handshakeTimeout: TimeAmount
    package var maximumVersion: TLSVersion
    /// Keeps the tickets of TLS 1.3 for later connections to the same port, and has this one resume.
    package var resumption: Resumption?

    /// Where tickets are kept, and under which port beside the server's name.
    package struct Resumption: Sendable {
        package var store: ResumptionStore
        package var port: Int

        package init(store: ResumptionStore, port: Int) {
            self.store = store
            self.port = port
        }
    }

    package init(
        credentials: ClientCredentials,
        serverName: String,
        applicationProtocols: [String] = [],
        handshakeTimeout: TimeAmount = .seconds(10),
        maximumVersion: TLSVersion = .tls13
    ) {
        self.credentials = credentials
        self.serverName = serverName
        self.applicationProtocols = applicationProtocols
        self.handshakeTimeout = handshakeTimeout
        self.maximumVersion = maximumVersion
    }
}

/// Fired as a user event when the handshake is complete and, for a client, the server's certificate is accepted.
package struct TLSHandshakeCompleted: Hashable, Sendable {
    package var version: TLSVersion
    /// From ALPN; nil when the peers negotiated none.
    package var applicationProtocol: String?
    /// Whether the session continues an earlier one.
    package var isResumed: Bool
}
