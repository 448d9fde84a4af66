public import Credentials
public import HTTPTypes
public import NIOCore

/// How a client opens a session.
public struct WebSocketClientConfiguration: Sendable {
    /// Whom to trust, for `wss:`. Nil is what this system trusts.
    public var credentials: ClientCredentials?
    /// Remembers servers, so that TLS with them is shorter the next time (TLS 1.3); nil makes each connection the
    /// first.
    public var resumption: ResumptionStore?
    /// The application protocols offered, best first.
    public var subprotocols: [String]
    /// Further request fields, such as `Origin`.
    public var fields: HTTPFields
    /// Offers to compress messages. Nil offers nothing; see `WebSocketCompression`.
    public var compression: WebSocketCompression?
    /// Opens the session on a stream of HTTP/2 (RFC 8441) instead of by an upgrade of HTTP/1.1. The connection carries
    /// nothing else; `wss:` only.
    public var usesHTTP2 = false
    /// A server can make the session hold this much, decompressed.
    public var maxMessageSize = 1 << 20
    /// From the first packet to the session.
    public var connectTimeout = TimeAmount.seconds(10)
    /// The server is asked for a sign of life after so long without one. Nil: the server's business.
    public var pingInterval: TimeAmount?
    /// How long the server may take to answer a Close frame and to end the connection.
    public var closeTimeout = TimeAmount.seconds(5)

    /// Begins with the defaults; other properties are set afterwards.
    public init(
        credentials: ClientCredentials? = nil,
        subprotocols: [String] = [],
        fields: HTTPFields = [:]
    ) {
        self.credentials = credentials
        self.subprotocols = subprotocols
        self.fields = fields
    }
}
