/// How a session begins, which decides what that takes.
public enum SessionStart: String, Sendable, Hashable, CaseIterable, Codable {
    case webTransport = "wt"
    /// With a ticket and a token of an earlier connection. No CONNECT is sent as early data: a session must not be begun
    /// by a replay (draft-ietf-webtrans-http3 § 3.4).
    case webTransportResumed = "wt-resumed"
    case webSocket = "ws"
    /// With a ticket of an earlier connection.
    case webSocketResumed = "ws-resumed"
    case webSocketHTTP2 = "ws-h2"
    case webSocketHTTP2Resumed = "ws-h2-resumed"
    case webSocketHTTP3 = "ws-h3"
    case webSocketHTTP3Resumed = "ws-h3-resumed"

    /// The kind of session that begins so.
    public var family: SessionFamily {
        switch self {
        case .webTransport, .webTransportResumed: .webTransport
        case .webSocket, .webSocketResumed: .webSocket
        case .webSocketHTTP2, .webSocketHTTP2Resumed: .webSocketHTTP2
        case .webSocketHTTP3, .webSocketHTTP3Resumed: .webSocketHTTP3
        }
    }

    /// Whether the handshake continues an earlier session.
    public var isResumed: Bool {
        switch self {
        case .webTransport, .webSocket, .webSocketHTTP2, .webSocketHTTP3: false
        case .webTransportResumed, .webSocketResumed, .webSocketHTTP2Resumed, .webSocketHTTP3Resumed: true
        }
    }

    /// What it is compared with: the WebSocket that begins alike.
    var reference: SessionStart { self.isResumed ? .webSocketResumed : .webSocket }

    /// What the time to a usable session is made of.
    var handshake: String {
        if self.isResumed { return "likewise, TLS resumed; no early data" }
        return switch self.family {
        case .webTransport: "UDP socket, QUIC with TLS 1.3, HTTP/3 settings, CONNECT answered"
        case .webSocket: "TCP connection, TLS 1.3, HTTP/1.1 upgrade answered"
        case .webSocketHTTP2: "TCP connection, TLS 1.3, HTTP/2 settings, CONNECT answered"
        case .webSocketHTTP3: "as wt, for a WebSocket"
        }
    }
}

/// What was measured of one way to begin.
public struct StartSeries: Sendable {
    /// From nothing to a session that can be used.
    public internal(set) var session = Series()
    /// From nothing until the program has the echo of its first message: on a bidirectional stream, or as a message.
    public internal(set) var firstEcho = Series()
    /// What such a session, with its echo and its end, has cost.
    public internal(set) var cost = Cost.none

    public init() {}

    mutating func record(_ times: StartTimes, cost: Cost) {
        // Each attempt is a turn of its own.
        self.session.record(turn: [TurnResult(nanoseconds: [times.session])])
        self.firstEcho.record(turn: [TurnResult(nanoseconds: [times.firstEcho])])
        self.cost = self.cost + cost
    }
}

/// How long one session took to begin, in nanoseconds.
struct StartTimes: Sendable {
    var session: UInt64
    var firstEcho: UInt64
}
