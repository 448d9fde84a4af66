public import NIOCore
import QUIC
import WebTransportCore

/// How connections behave below HTTP/3.
public struct TransportOptions: Sendable {
    /// Silence after which a connection ends (RFC 9000 § 10.1). Browsers send a PING every 15 s.
    public var idleTimeout = TimeAmount.seconds(30)
    /// How senders adapt to the path.
    public var congestionControl = CongestionControl.cubic
    /// Sends a PING after that much silence; nil leaves it to the peer.
    public var keepAlive: TimeAmount?
    /// Streams of each kind that a peer may have open at once.
    public var maxStreams = 1024
    /// Whether requests for resources travel before the handshake is complete (0-RTT), when client and server know each
    /// other. A server takes GET and HEAD, each first flight once; sessions never begin that way. A client sends only
    /// what `WebTransportClient.fetch` asks for.
    ///
    /// On, since such a request changes nothing, and a page that returns is served one round trip sooner. Turn it off
    /// where a resource handler has effects: who holds up a client's packets chooses when they arrive (RFC 9001 § 9.2).
    public var earlyData = true
    /// Sessions that may share a connection at one time, at most 16, where the peer wants it too.
    ///
    /// With more than 1 this end keeps limits for each session (draft-ietf-webtrans-http3 § 5), so that one whose
    /// application does not read leaves the others theirs. No browser shares connections, and Safari is reported not to
    /// bear the limits in SETTINGS: it is for clients that are known.
    public var maxSessionsPerConnection = 1
    /// A directory for one qlog file a connection (JSON text sequences); nil writes none. A client that writes one refuses
    /// servers with a preferred address (RFC 9000 § 9.6), which the library cannot log safely.
    public var qlogDirectory: String?

    /// The defaults are those of the command `apus serve`.
    public init() {}

    /// How a sender adapts to the path (RFC 9002 § 7).
    public enum CongestionControl: String, Sendable, CaseIterable {
        case cubic
        case bbr
    }

    /// As many as anybody has a use for; RFC 9000 § 4.6 has a limit as well.
    private var streams: UInt64 { UInt64(min(max(0, self.maxStreams), 1 << 32)) }

    var quic: TransportConfiguration {
        var configuration = TransportConfiguration()
        configuration.idleTimeout = self.idleTimeout
        configuration.keepAlive = self.keepAlive
        configuration.maxStreams = self.streams
        if self.sessions > 1 {
            configuration.maxStreams = max(configuration.maxStreams, Self.leastStreamsOfSession * self.shares)
            configuration.maxConnectionData = max(configuration.maxConnectionData, Self.dataOfSession * self.shares)
        }
        configuration.congestionControl =
            switch self.congestionControl {
            case .cubic: .cubic
            case .bbr: .bbr
            }
        if let directory = self.qlogDirectory {
            configuration.makeQlogWriter = { id, isServer in
                QlogFile(directory: directory, connectionID: id, isServer: isServer)?.write
            }
        }
        return configuration
    }

    /// As many as a connection remembers when they have ended, so that their late streams are known as such.
    package static let mostSessionsPerConnection = PeerConnection.rememberedSessions
    /// Bytes that a session may receive unread: those of one stream at its beginning. They carry 100 Mbit/s over 160
    /// ms.
    private static let dataOfSession: UInt64 = 2 << 20
    /// Streams of each kind that a session may have at least.
    private static let leastStreamsOfSession: UInt64 = 16

    private var sessions: Int { min(max(1, self.maxSessionsPerConnection), Self.mostSessionsPerConnection) }

    /// What a connection allows is enough for all sessions together, and for one share more: requests, and streams
    /// whose session is not known yet.
    private var shares: UInt64 { UInt64(self.sessions) + 1 }

    var offer: WebTransportOffer {
        guard self.sessions > 1 else { return .oneSession }
        let streams = max(self.streams / self.shares, Self.leastStreamsOfSession)
        return .severalSessions(
            self.sessions,
            limits: SessionLimits(
                data: Self.dataOfSession,
                bidirectionalStreams: streams,
                unidirectionalStreams: streams
            )
        )
    }
}
