/// What was measured.
public struct BenchmarkResult: Sendable {
    /// Times to a usable session, and to the first echo.
    public internal(set) var handshakes: [SessionStart: StartSeries] = [:]
    public internal(set) var roundTrips: [TransportKind: RoundTripSeries] = [:]
    /// Of the scenarios in which messages have their times.
    public internal(set) var paced: [Scenario: [TransportKind: PacedSeries]] = [:]
    /// Whether more was asked for, and the run cancelled before.
    public internal(set) var isInterrupted = false

    public init() {}

    /// Whether nothing was measured.
    var isEmpty: Bool {
        self.handshakes.isEmpty && self.roundTrips.isEmpty && self.paced.values.allSatisfy(\.isEmpty)
    }
}

/// What was measured of one transport's round trips.
public struct RoundTripSeries: Sendable {
    public internal(set) var times = Series()
    /// What they have cost.
    public internal(set) var cost = Cost.none

    public init() {}

    mutating func record(_ turn: [TurnResult], cost: Cost, patience: UInt64) {
        self.times.record(turn: turn, patience: patience)
        self.cost = self.cost + cost
    }
}
