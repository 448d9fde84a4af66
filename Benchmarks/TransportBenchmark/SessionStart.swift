/// How a session begins, which decides what that takes.
public enum SessionStart: String, Sendable, Hashable, CaseIterable, Codable {
    /// QUIC with TLS 1.3, HTTP/3, and an extended CONNECT.
    case webTransport = "wt"
    /// Likewise, with a ticket and a token of an earlier connection. No CONNECT is sent as early data: a session must not
    /// be begun by a replay (draft-ietf-webtrans-http3 § 3.4).
    case webTransportResumed = "wt-resumed"
    /// TCP, TLS 1.3, and an HTTP/1.1 upgrade.
    case webSocket = "ws"
    /// Likewise, with a ticket of an earlier connection.
    case webSocketResumed = "ws-resumed"

    /// The kind of session that begins so.
    public var family: SessionFamily {
        switch self {
        case .webTransport, .webTransportResumed: .webTransport
        case .webSocket, .webSocketResumed: .webSocket
        }
    }

    /// Whether the handshake continues an earlier session.
    public var isResumed: Bool {
        switch self {
        case .webTransport, .webSocket: false
        case .webTransportResumed, .webSocketResumed: true
        }
    }

    /// What the time to a usable session is made of.
    var handshake: String {
        switch self {
        case .webTransport: "UDP socket, QUIC with TLS 1.3, HTTP/3 settings, CONNECT answered"
        case .webTransportResumed: "likewise, TLS resumed; no early data"
        case .webSocket: "TCP connection, TLS 1.3, HTTP/1.1 upgrade answered"
        case .webSocketResumed: "likewise, TLS resumed; no early data"
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
