public import Histogram

/// The raw content of an HdrHistogram: enough to make the same again, or to add several up.
public struct HistogramData: Sendable, Hashable, Codable {
    public var lowestDiscernibleValue: UInt64
    public var highestTrackableValue: UInt64
    public var significantDigits: Int
    /// For each bucket that is not empty the largest value that it stands for, and how many fell into it.
    public var buckets: [[UInt64]]

    public init(_ histogram: Histogram<UInt64>) {
        self.lowestDiscernibleValue = histogram.lowestDiscernibleValue
        self.highestTrackableValue = histogram.highestTrackableValue
        self.significantDigits = Int(histogram.numberOfSignificantValueDigits.rawValue)
        self.buckets = histogram.recordedValues().map { [$0.value, $0.count] }
    }
}
