/// A way for a message to travel to the server and back.
public enum TransportKind: String, Sendable, Hashable, CaseIterable, Codable {
    /// One WebTransport datagram each way. It may be lost.
    case webTransportDatagram = "wt-datagram"
    /// One bidirectional WebTransport stream that stays open; messages follow one another on it.
    case webTransportStream = "wt-stream"
    /// A bidirectional WebTransport stream that stays open for each sequence of messages.
    case webTransportStreamPerSequence = "wt-stream-per-sequence"
    /// A bidirectional WebTransport stream of its own for each message, ended by both sides.
    case webTransportStreamPerMessage = "wt-bidi-per-message"
    /// One binary WebSocket message each way, over TLS.
    case webSocket = "ws"

    /// The kind of session it needs.
    public var family: SessionFamily {
        switch self {
        case .webTransportDatagram, .webTransportStream, .webTransportStreamPerSequence, .webTransportStreamPerMessage:
            .webTransport
        case .webSocket: .webSocket
        }
    }

    /// Reads a list such as `wt-stream,ws`, for which each kind may be named once.
    public static func list(_ text: String) throws(BenchmarkError) -> [TransportKind] {
        try NamedList.read(text, of: "transport")
    }
}

/// A kind of session, which decides what it takes to open one.
public enum SessionFamily: String, Sendable, Hashable, CaseIterable, Codable {
    /// QUIC with TLS 1.3, HTTP/3, and an extended CONNECT.
    case webTransport = "wt"
    /// TCP, TLS 1.3, and an HTTP/1.1 upgrade.
    case webSocket = "ws"
}
