/// A kind of session, which decides what it takes to open one.
public enum SessionFamily: String, Sendable, Hashable, CaseIterable, Codable {
    /// QUIC with TLS 1.3, HTTP/3, and an extended CONNECT.
    case webTransport = "wt"
    /// TCP, TLS 1.3, and an HTTP/1.1 upgrade (RFC 6455).
    case webSocket = "ws"
    /// TCP, TLS 1.3, HTTP/2, and an extended CONNECT (RFC 8441).
    case webSocketHTTP2 = "ws-h2"
    /// QUIC with TLS 1.3, HTTP/3, and an extended CONNECT (RFC 9220).
    case webSocketHTTP3 = "ws-h3"
}
