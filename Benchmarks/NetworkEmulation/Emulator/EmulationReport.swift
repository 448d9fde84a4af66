import Histogram
public import NetworkModel

/// What an emulated network has done.
public struct EmulationReport: Sendable, Hashable, Codable {
    public var up: DirectionReport
    public var down: DirectionReport

    public subscript(direction: Direction) -> DirectionReport {
        switch direction {
        case .up: self.up
        case .down: self.down
        }
    }
}

/// What it has done to the packets of one direction.
public struct DirectionReport: Sendable, Hashable, Codable {
    public var counts: LinkCounts
    /// The share that the link loses in the long run, without its trace.
    public var configuredLoss: Double
    /// The share that it has lost.
    public var observedLoss: Double
    /// Packets that the other end's kernel did not take.
    public var undeliverable: UInt64
    /// From the packet's arrival to its delivery, the queue included.
    public var delay: DurationSummary
    /// From when a packet was due to when it was delivered: the emulator's own error.
    public var lateness: DurationSummary
}

/// Percentiles of durations, in nanoseconds; all zero when there are none.
public struct DurationSummary: Sendable, Hashable, Codable {
    public var count: UInt64
    public var p50: UInt64
    public var p90: UInt64
    public var p99: UInt64
    public var max: UInt64

    init(_ histogram: Histogram<UInt64>) {
        self.count = histogram.totalCount
        self.p50 = histogram.valueAtPercentile(50)
        self.p90 = histogram.valueAtPercentile(90)
        self.p99 = histogram.valueAtPercentile(99)
        self.max = self.count > 0 ? histogram.max : 0
    }
}
