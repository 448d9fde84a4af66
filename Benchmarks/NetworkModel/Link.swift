/// One direction of a network: a queue in front of a transmitter, then a way that delays and loses.
///
/// All durations and times of this module are in nanoseconds.
public struct Link: Sendable, Hashable, Codable {
    public var conditions: LinkConditions
    /// Whether a packet may overtake another when jitter says so; if not, it waits for its predecessor.
    public var reorders: Bool
    /// Packets that wait or are being transmitted; further ones are dropped. Without effect without a bandwidth.
    public var queue: Int
    /// The largest IP packet, in bytes.
    public var mtu: Int
    /// How the conditions change with time; nil when they do not.
    public var trace: Trace?

    public init(
        _ conditions: LinkConditions,
        reorders: Bool = false,
        queue: Int = 1_000,
        mtu: Int = 1_500,
        trace: Trace? = nil
    ) {
        self.conditions = conditions
        self.reorders = reorders
        self.queue = queue
        self.mtu = mtu
        self.trace = trace
    }
}

/// What a trace may change.
public struct LinkConditions: Sendable, Hashable, Codable {
    /// From the end of the transmission to the arrival.
    public var delay: Int64
    /// The delay of a packet is anywhere from `delay - jitter` to `delay + jitter`, with equal probability.
    public var jitter: Int64
    public var loss: Loss
    /// Bits of IP packets a second; nil when packets take no time to transmit.
    public var bandwidth: Int64?

    public init(delay: Int64, jitter: Int64 = 0, loss: Loss = .independent(0), bandwidth: Int64? = nil) {
        self.delay = delay
        self.jitter = jitter
        self.loss = loss
        self.bandwidth = bandwidth
    }
}
