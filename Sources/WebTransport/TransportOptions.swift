public import NIOCore
import QUIC

/// How connections behave below HTTP/3.
public struct TransportOptions: Sendable {
    /// Silence after which a connection ends (RFC 9000 § 10.1). Browsers send a PING every 15 s.
    public var idleTimeout = TimeAmount.seconds(30)
    public var congestionControl = CongestionControl.cubic
    /// Sends a PING after that much silence; nil leaves it to the peer.
    public var keepAlive: TimeAmount?
    /// Streams of each kind that a peer may have open at once.
    public var maxStreams = 1024
    /// Whether requests for resources travel before the handshake is complete (0-RTT), when client and server know each
    /// other. A server takes GET and HEAD, each first flight once; sessions never begin that way. A client sends only what
    /// `WebTransportClient.fetch` asks for.
    ///
    /// On, since such a request changes nothing, and a page that returns is served one round trip sooner. Turn it off where
    /// a resource handler has effects: who holds up a client's packets chooses when they arrive (RFC 9001 § 9.2).
    public var earlyData = true
    /// A directory for one qlog file a connection (JSON text sequences); nil writes none.
    public var qlogDirectory: String?

    public init() {}

    /// How a sender adapts to the path (RFC 9002 § 7).
    public enum CongestionControl: String, Sendable, CaseIterable {
        case cubic
        case bbr
    }

    var quic: TransportConfiguration {
        var configuration = TransportConfiguration()
        configuration.idleTimeout = self.idleTimeout
        configuration.keepAlive = self.keepAlive
        configuration.maxStreams = UInt64(self.maxStreams)
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
}
