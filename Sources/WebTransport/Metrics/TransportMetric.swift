/// The names of all metrics of this module, after the manner of Prometheus: `_total` for what only grows.
struct TransportMetric: Hashable, Sendable {
    enum Kind: Sendable {
        case counter
        /// Goes up and down.
        case gauge
    }

    let name: String
    let kind: Kind
    /// One sentence that says what it counts.
    let help: String

    private static func counter(_ name: String, _ help: String) -> Self { Self(name: name, kind: .counter, help: help) }
    private static func gauge(_ name: String, _ help: String) -> Self { Self(name: name, kind: .gauge, help: help) }

    // MARK: QUIC

    static let connections = gauge("apus_quic_connections", "QUIC connections that are not closed.")
    static let handshakes = gauge("apus_quic_handshakes", "QUIC handshakes under way.")
    static let unacknowledged = gauge(
        "apus_quic_unacknowledged_bytes",
        "Bytes of streams that wait to be sent or acknowledged: what peers hold that do not read."
    )
    static let connectionsAccepted = counter(
        "apus_quic_connections_accepted_total",
        "QUIC connections that began."
    )
    static let connectionsRefused = counter(
        "apus_quic_connections_refused_total",
        "QUIC connections that were answered with CONNECTION_CLOSE instead of a handshake, by reason."
    )
    static let connectionsClosed = counter(
        "apus_quic_connections_closed_total",
        "QUIC connections that ended, by reason."
    )
    static let retries = counter("apus_quic_retries_total", "Retry packets sent to unproven addresses.")
    static let versionNegotiations = counter(
        "apus_quic_version_negotiations_total",
        "Version Negotiation packets sent."
    )
    static let statelessResets = counter("apus_quic_stateless_resets_total", "Stateless resets sent.")
    static let datagramsDropped = counter(
        "apus_quic_udp_datagrams_dropped_total",
        "UDP datagrams that were dropped: they could not even begin a connection, or another loop was too busy for them."
    )
    static let datagramsHandedOver = counter(
        "apus_quic_udp_datagrams_handed_over_total",
        "UDP datagrams that came to another loop than their connection's, as after a change of address, and went there."
    )
    static let limits = counter(
        "apus_limits_exceeded_total",
        "Connections closed with H3_EXCESSIVE_LOAD, by the limit that they went beyond."
    )

    static let requestsTimedOut = counter(
        "apus_http3_requests_timed_out_total",
        "Requests whose header section or body did not arrive in time."
    )

    // MARK: WebTransport

    static let sessions = gauge("apus_webtransport_sessions", "WebTransport sessions that are open.")
    static let sessionsAccepted = counter("apus_webtransport_sessions_accepted_total", "Sessions that began.")
    static let sessionsRefused = counter(
        "apus_webtransport_sessions_refused_total",
        "Requests for sessions that were refused, by status; none when the stream was reset instead."
    )
    static let streams = counter("apus_webtransport_streams_total", "Streams of sessions, by who opened them.")
    static let streamsRejected = counter(
        "apus_webtransport_streams_rejected_total",
        "Streams that named no open session, by reason."
    )
    static let datagramsLost = counter(
        "apus_webtransport_datagrams_dropped_total",
        "Datagrams that gave way to newer ones, or whose session has ended, by direction."
    )

    static let all = [
        connections, handshakes, unacknowledged, connectionsAccepted, connectionsRefused, connectionsClosed,
        retries, versionNegotiations, statelessResets, datagramsDropped, datagramsHandedOver,
        limits, requestsTimedOut,
        sessions, sessionsAccepted, sessionsRefused,
        streams, streamsRejected, datagramsLost,
    ]
}

extension WebTransportServer {
    /// The names of this module's metrics, each with one sentence that says what it counts.
    package static var metricDescriptions: [String: String] {
        Dictionary(uniqueKeysWithValues: TransportMetric.all.map { ($0.name, $0.help) })
    }
}
