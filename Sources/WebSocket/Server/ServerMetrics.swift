import CoreMetrics
import HTTPTypes

/// What a server counts. Each of these happens once in the life of a connection or session, and goes to swift-metrics
/// at once.
struct ServerMetrics: Sendable {
    /// All names, each with one sentence that says what it counts.
    static let descriptions: [String: String] = [
        Name.connections: "TCP connections that are open.",
        Name.connectionsRefused: "TCP connections that were closed at once, as there were as many as there may be.",
        Name.timeouts: "TCP connections and HTTP/2 streams that were given up: a request without end, or silence.",
        Name.excesses: "Connections of HTTP/2 that were ended as their peer did too much of something, by what.",
        Name.sessions: "WebSocket sessions that are open.",
        Name.sessionsAccepted: "WebSocket sessions that began.",
        Name.sessionExcesses: "WebSocket sessions that ended for what their peer did too much of, or did not read.",
        Name.sessionsRefused: "Requests for WebSocket sessions that were refused, by status.",
    ]

    private enum Name {
        static let connections = "apus_tcp_connections"
        static let connectionsRefused = "apus_tcp_connections_refused_total"
        static let timeouts = "apus_tcp_connections_timed_out_total"
        static let excesses = "apus_http2_limits_exceeded_total"
        static let sessions = "apus_websocket_sessions"
        static let sessionsAccepted = "apus_websocket_sessions_accepted_total"
        static let sessionExcesses = "apus_websocket_limits_exceeded_total"
        static let sessionsRefused = "apus_websocket_sessions_refused_total"
    }

    let connections: Meter
    let connectionsRefused: Counter
    private let timeouts: Counter
    /// Made at once, so that they are there before anybody exceeds a limit.
    private let excesses: [HTTP2Excess: Counter]
    private let sessionExcesses: [WebSocketExcess: Counter]
    let sessions: Meter
    let sessionsAccepted: Counter
    private let factory: any MetricsFactory

    init(factory: any MetricsFactory) {
        self.factory = factory
        self.connections = Meter(label: Name.connections, factory: factory)
        self.connectionsRefused = Counter(label: Name.connectionsRefused, factory: factory)
        self.timeouts = Counter(label: Name.timeouts, factory: factory)
        self.excesses = Dictionary(
            uniqueKeysWithValues: HTTP2Excess.allCases.map { excess in
                (excess, Counter(label: Name.excesses, dimensions: [("limit", excess.rawValue)], factory: factory))
            }
        )
        self.sessions = Meter(label: Name.sessions, factory: factory)
        self.sessionExcesses = Dictionary(
            uniqueKeysWithValues: WebSocketExcess.allCases.map { excess in
                let dimensions = [("limit", excess.rawValue)]
                return (excess, Counter(label: Name.sessionExcesses, dimensions: dimensions, factory: factory))
            }
        )
        self.sessionsAccepted = Counter(label: Name.sessionsAccepted, factory: factory)
    }

    func timedOut() {
        self.timeouts.increment()
    }

    func exceeded(_ excess: HTTP2Excess) {
        self.excesses[excess]?.increment()
    }

    func exceeded(_ excess: WebSocketExcess) {
        self.sessionExcesses[excess]?.increment()
    }

    func sessionRefused(_ status: HTTPResponse.Status) {
        let dimensions = [("status", String(status.code))]
        Counter(label: Name.sessionsRefused, dimensions: dimensions, factory: self.factory).increment()
    }
}

extension WebSocketServer {
    /// The names of this module's metrics, each with one sentence that says what it counts.
    package static var metricDescriptions: [String: String] { ServerMetrics.descriptions }
}
