/// What was measured of one transport whose messages had their times.
public struct PacedSeries: Sendable {
    /// How old messages were when their echoes had come.
    public private(set) var ages = Series()
    /// How old the newest was that the receiver knew, every millisecond.
    public private(set) var staleness = Series()
    /// How late the client itself began to send.
    public private(set) var lateness = Series()
    /// How old messages were without the bulk transfer that was beside the others.
    public private(set) var quietAges = Series()
    /// Bytes a second of that transfer, there and back, in each turn.
    public private(set) var turnRates: [UInt64] = []
    /// What the messages have cost, without those of quiet turns.
    public private(set) var cost = Cost.none
    /// Of the last turn's first session.
    public private(set) var timeline: Timeline?
    /// Messages that were newer, when they came, than what had come before.
    public private(set) var fresh = 0

    public init() {}

    /// Adds what all sessions measured in one turn.
    /// - Parameter patience: how long was waited for echoes after the last message, in nanoseconds.
    mutating func record(_ turn: [PacedOutcome], cost: Cost, patience: UInt64) {
        self.ages.record(turn: turn.map(\.result), patience: patience)
        self.staleness.record(turn: turn.map { TurnResult(nanoseconds: $0.staleness) })
        self.lateness.record(turn: turn.map { TurnResult(nanoseconds: Array($0.countedLateness)) })
        self.fresh += turn.reduce(0) { $0 + $1.freshCount }
        self.cost = self.cost + cost
        self.timeline = turn.first.flatMap(Timeline.init) ?? self.timeline
        guard let load = turn.first?.load, load.bulkSize != nil else { return }
        let bytes = turn.reduce(0) { $0 + $1.bulkByteCount }
        self.turnRates.append(UInt64((Double(bytes) / load.seconds).rounded()))
    }

    /// Adds what they measured in one turn without a bulk transfer.
    mutating func record(quiet turn: [PacedOutcome]) {
        self.quietAges.record(turn: turn.map(\.result))
    }
}
