import NIOCore

/// Messages at fixed times, whether earlier ones have come back or not: an open loop.
///
/// Sequences are independent of each other and take turns, so that the messages of all are spread evenly over time. The
/// messages of a turn are numbered from zero.
public struct PacedLoad: Sendable, Hashable, Codable {
    /// How many.
    public var sequences: Int
    /// Messages a second of each sequence.
    public var rate: Double
    /// Seconds of each turn that count.
    public var seconds: Double
    /// Seconds before them, with the same messages, that do not.
    public var warmUpSeconds = 0.5
    /// The bytes of each message of a bulk transfer beside them, which is sent as fast as it goes; nil for none.
    public var bulkSize: Int?

    public init(sequences: Int, rate: Double, seconds: Double = 2, bulkSize: Int? = nil) {
        self.sequences = sequences
        self.rate = rate
        self.seconds = seconds
        self.bulkSize = bulkSize
    }

    /// Messages of a turn, of all sequences, with those that do not count.
    var count: Int { self.number(after: self.warmUpSeconds + self.seconds) }
    /// The first message that counts.
    var firstCounted: Int { self.number(after: self.warmUpSeconds) }

    private func number(after seconds: Double) -> Int {
        Int((seconds * self.rate * Double(self.sequences)).rounded(.up))
    }

    /// When a message is due, from the begin of the turn.
    func due(_ number: Int) -> TimeAmount {
        .nanoseconds(Int64(Double(number) / (self.rate * Double(self.sequences)) * 1e9))
    }

    /// The sequence of a message, from zero.
    func sequence(of number: Int) -> Int { number % self.sequences }

    /// The sequence of the bulk transfer: the last.
    var bulkSequence: Int { self.sequences }

    /// The same without a bulk transfer.
    var quiet: PacedLoad {
        var quiet = self
        quiet.bulkSize = nil
        return quiet
    }
}
