import HTTP3
import QUIC

/// What one endpoint counts, on its loop: plain numbers, which cost an addition where something happens.
struct TransportCounts {
    var sessions = 0
    var sessionsAccepted = 0
    /// By status; nil for those whose stream was reset.
    var sessionsRefused: [Int?: Int] = [:]
    var streamsOpenedByPeers = 0
    var streamsOpenedHere = 0
    var streamsRejectedEarly = 0
    var streamsRejectedLate = 0
    var datagramsHandedOver = 0
    var datagramsNotHandedOver = 0
    var datagramsDroppedInbound = 0
    var datagramsDroppedOutbound = 0
    var connectionsClosed: [ClosingCause: Int] = [:]
    var requestsTimedOut = 0
    var limits: [Limit: Int] = [:]

    /// Why a connection ended, as a label.
    enum ClosingCause: String, CaseIterable {
        case local
        case peer
        case excessiveLoad = "excessive_load"
        case http3Error = "http3_error"
        case idleTimeout = "idle_timeout"
        case handshakeTimeout = "handshake_timeout"
        case statelessReset = "stateless_reset"
        case transportError = "transport_error"

        init(_ reason: ConnectionCloseReason) {
            switch reason {
            case .closedLocally(HTTP3ErrorCode.h3NoError.rawValue): self = .local
            case .closedLocally(HTTP3ErrorCode.excessiveLoad.rawValue): self = .excessiveLoad
            case .closedLocally: self = .http3Error
            case .closedByPeer: self = .peer
            case .idleTimeout: self = .idleTimeout
            case .handshakeTimeout: self = .handshakeTimeout
            case .statelessReset: self = .statelessReset
            // The first two are a client's.
            case .versionNegotiationFailed, .certificateRejected, .transportError: self = .transportError
            }
        }
    }

    /// Everything with its names. Series that are known beforehand are there from the beginning, at zero.
    /// - Parameter unacknowledged: bytes that wait for peers.
    func samples(of endpoint: QUIC.Endpoint, unacknowledged: Int) -> [MetricsPublisher.Sample] {
        let statistics = endpoint.statistics
        var samples: [MetricsPublisher.Sample] = [
            .init(.connections, endpoint.connectionCount),
            .init(.handshakes, endpoint.halfOpenCount),
            .init(.unacknowledged, unacknowledged),
            .init(.connectionsAccepted, statistics.connectionsAccepted),
            .init(.connectionsRefused, statistics.beyondMaxConnections, ("reason", "max_connections")),
            .init(.connectionsRefused, statistics.beyondMaxHandshakes, ("reason", "max_handshakes")),
            .init(.connectionsRefused, statistics.invalidTokens, ("reason", "invalid_token")),
            .init(.retries, statistics.retriesSent),
            .init(.versionNegotiations, statistics.versionNegotiationsSent),
            .init(.statelessResets, statistics.statelessResetsSent),
            .init(.datagramsDropped, statistics.dropped, ("reason", "no_connection")),
            .init(.datagramsDropped, self.datagramsNotHandedOver, ("reason", "handover_full")),
            .init(.datagramsHandedOver, self.datagramsHandedOver),
            .init(.requestsTimedOut, self.requestsTimedOut),
            .init(.sessions, self.sessions),
            .init(.sessionsAccepted, self.sessionsAccepted),
            .init(.streams, self.streamsOpenedByPeers, ("opened_by", "peer")),
            .init(.streams, self.streamsOpenedHere, ("opened_by", "server")),
            .init(.streamsRejected, self.streamsRejectedEarly, ("reason", "too_early")),
            .init(.streamsRejected, self.streamsRejectedLate, ("reason", "session_gone")),
            .init(.datagramsLost, self.datagramsDroppedInbound, ("direction", "received")),
            .init(.datagramsLost, self.datagramsDroppedOutbound, ("direction", "sent")),
        ]
        for cause in ClosingCause.allCases {
            samples.append(
                .init(.connectionsClosed, self.connectionsClosed[cause, default: 0], ("reason", cause.rawValue))
            )
        }
        for limit in Limit.allCases {
            samples.append(.init(.limits, self.limits[limit, default: 0], ("limit", limit.name)))
        }
        for (status, count) in self.sessionsRefused {
            samples.append(.init(.sessionsRefused, count, ("status", status.map(String.init) ?? "none")))
        }
        return samples
    }
}
