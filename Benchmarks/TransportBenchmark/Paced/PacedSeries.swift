/// What was measured of one transport whose messages had their times.
public struct PacedSeries: Sendable {
    /// How old messages were when their echoes had come.
    public private(set) var ages = Series()
    /// How old the newest was that the receiver knew, every millisecond.
    public private(set) var staleness = Series()
    /// How late the client itself began to send.
    public private(set) var lateness = Series()
    /// Messages that were newer, when they came, than what had come before.
    public private(set) var fresh = 0

    public init() {}

    /// Adds what all sessions measured in one turn.
    mutating func record(_ turn: [PacedOutcome]) {
        self.ages.record(turn: turn.map(\.result))
        self.staleness.record(turn: turn.map { TurnResult(nanoseconds: $0.staleness) })
        self.lateness.record(turn: turn.map { TurnResult(nanoseconds: Array($0.countedLateness)) })
        self.fresh += turn.reduce(0) { $0 + $1.freshCount }
    }
}
