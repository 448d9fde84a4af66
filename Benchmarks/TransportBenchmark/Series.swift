public import Histogram

/// What was measured of one thing: durations in nanoseconds, and what never came back.
public struct Series: Sendable {
    /// In nanoseconds.
    public private(set) var histogram: Histogram<UInt64>
    /// Messages without an echo. They are in no percentile.
    public private(set) var lost: UInt64 = 0
    /// The median of each turn, in nanoseconds and in the order measured, which shows whether the machine drifted.
    public private(set) var turnMedians: [UInt64] = []
    /// What 99 of 100 of each turn were within, likewise.
    public private(set) var turnTails: [UInt64] = []

    /// The longest duration before the histogram grows: a minute, which no round trip that counts can take.
    private static let highestValue: UInt64 = 60_000_000_000

    public init() {
        self.histogram = Histogram(highestTrackableValue: Self.highestValue, numberOfSignificantValueDigits: .three)
        self.histogram.autoResize = true
    }

    public mutating func record(_ nanoseconds: UInt64) {
        let isRecorded = self.histogram.record(nanoseconds)
        precondition(isRecorded, "a histogram that grows takes every value")
    }

    /// Adds what all sessions of a transport measured in one turn.
    /// - Parameter patience: how long was waited for what never came back, in nanoseconds: in the middle and the tail of a
    ///   turn it counts as having taken so long, at least.
    public mutating func record(turn: [TurnResult], patience: UInt64 = 0) {
        var all = turn.flatMap(\.nanoseconds)
        for value in all { self.record(value) }
        let lost = turn.reduce(0) { $0 + $1.lost }
        self.lost += UInt64(lost)
        all += Array(repeating: max(patience, all.max() ?? 0), count: lost)
        all.sort()
        guard let last = all.last, last > 0 else { return }
        self.turnMedians.append(all[all.count / 2])
        self.turnTails.append(all[min(all.count - 1, all.count * 99 / 100)])
    }
}

/// What one session measured in one turn.
public struct TurnResult: Sendable, Hashable {
    /// Round trips, in the order measured.
    public var nanoseconds: [UInt64] = []
    /// Messages whose echo did not come in time.
    public var lost = 0

    public init(nanoseconds: [UInt64] = [], lost: Int = 0) {
        self.nanoseconds = nanoseconds
        self.lost = lost
    }
}
