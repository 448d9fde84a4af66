public import NIOCore
import QUIC

/// What an endpoint knows of a session's connection, above all of the way to its peer (RFC 9002).
public struct WebTransportStatistics: Sendable {
    /// The moving average of the round-trip time (RFC 9002 § 5.3).
    public var smoothedRoundTrip: TimeAmount
    /// The shortest round-trip time of the path so far.
    public var minimumRoundTrip: TimeAmount
    /// How much the round-trip time varies around its average.
    public var roundTripVariation: TimeAmount
    /// In bytes.
    public var congestionWindow: UInt64
    /// In bytes.
    public var bytesInFlight: UInt64
    /// Datagrams that arrived and gave way to newer ones before the application took them.
    public var droppedIncomingDatagrams: Int

    /// Whether the connection's handshake was shortened by an earlier session of the same client (RFC 8446 § 2.2).
    public var isResumed: Bool

    init(of connection: QUIC.Connection, droppedIncomingDatagrams: Int) {
        let path = connection.pathStatistics
        self.smoothedRoundTrip = path.smoothedRoundTrip
        self.minimumRoundTrip = path.minimumRoundTrip
        self.roundTripVariation = path.roundTripVariation
        self.congestionWindow = path.congestionWindow
        self.bytesInFlight = path.bytesInFlight
        self.droppedIncomingDatagrams = droppedIncomingDatagrams
        self.isResumed = connection.isResumed
    }
}
