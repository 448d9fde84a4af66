public import Histogram

/// A distribution of durations in a few numbers, in nanoseconds.
public struct Summary: Sendable, Hashable, Codable {
    /// Durations that were measured, without what was lost.
    public var count: UInt64
    public var lost: UInt64
    public var min: UInt64
    public var p50: UInt64
    public var p90: UInt64
    public var p99: UInt64
    public var p999: UInt64
    public var max: UInt64
    public var mean: Double

    /// All zero when nothing was measured.
    public init(_ histogram: Histogram<UInt64>, lost: UInt64 = 0) {
        self.count = histogram.totalCount
        self.lost = lost
        self.min = histogram.min
        self.p50 = histogram.valueAtPercentile(50)
        self.p90 = histogram.valueAtPercentile(90)
        self.p99 = histogram.valueAtPercentile(99)
        self.p999 = histogram.valueAtPercentile(99.9)
        self.max = histogram.maxRecorded
        self.mean = histogram.mean
    }

    public init(_ series: Series) {
        self.init(series.histogram, lost: series.lost)
    }

    /// How many times as long as the other's a percentile is, the median if nothing else is said; nil when either has
    /// measured nothing.
    public func ratio(to other: Summary, of percentile: KeyPath<Summary, UInt64> = \.p50) -> Double? {
        guard self.count > 0, other.count > 0, other[keyPath: percentile] > 0 else { return nil }
        return Double(self[keyPath: percentile]) / Double(other[keyPath: percentile])
    }
}
