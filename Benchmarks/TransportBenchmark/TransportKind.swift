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
    /// One binary WebSocket message each way, over TLS, on a connection of HTTP/1.1.
    case webSocket = "ws"
    /// Likewise on a stream of HTTP/2.
    case webSocketHTTP2 = "ws-h2"
    /// Likewise on a stream of HTTP/3.
    case webSocketHTTP3 = "ws-h3"

    /// What nearly every server of both protocols offers.
    public static let usual: [TransportKind] = [
        .webTransportDatagram, .webTransportStream, .webTransportStreamPerSequence, .webTransportStreamPerMessage,
        .webSocket,
    ]

    /// The kind of session it needs.
    public var family: SessionFamily {
        switch self {
        case .webTransportDatagram, .webTransportStream, .webTransportStreamPerSequence, .webTransportStreamPerMessage:
            .webTransport
        case .webSocket: .webSocket
        case .webSocketHTTP2: .webSocketHTTP2
        case .webSocketHTTP3: .webSocketHTTP3
        }
    }

    /// Reads a list such as `wt-stream,ws`, for which each kind may be named once.
    public static func list(_ text: String) throws(BenchmarkError) -> [TransportKind] {
        try NamedList.read(text, of: "transport")
    }
}
