/// What a WebSocket has been mapped to: the version of HTTP that carries it.
public struct WebSocketMapping: Hashable, Sendable, CustomStringConvertible {
    private enum Value: String { case http1 = "HTTP/1.1", http2 = "HTTP/2", http3 = "HTTP/3" }

    private let value: Value

    private init(_ value: Value) { self.value = value }

    /// A connection of its own after an upgrade (RFC 6455).
    public static var http1: Self { Self(.http1) }
    /// A stream among others of a connection (RFC 8441).
    public static var http2: Self { Self(.http2) }
    /// A stream of QUIC (RFC 9220).
    public static var http3: Self { Self(.http3) }

    /// Such as `HTTP/2`.
    public var description: String { self.value.rawValue }

    /// Whether the session begins with an extended CONNECT instead of an upgrade.
    var isExtendedConnect: Bool { self != .http1 }
}
