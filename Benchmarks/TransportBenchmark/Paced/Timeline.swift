import NIOCore

/// The messages of one turn of one session, in the order in which they were due: to look at, not to conclude from.
public struct Timeline: Sendable, Hashable, Codable {
    /// In nanoseconds from when the first that counted was due.
    public var due: [UInt64]
    /// How old each was when its echo had come; nil when that did not come.
    public var ages: [UInt64?]

    /// More would show no more, and make files large.
    private static let most = 1_000

    /// - Returns: nil when nothing counted.
    init?(_ outcome: PacedOutcome) {
        let first = outcome.load.firstCounted
        let numbers = first..<min(outcome.ages.count, first + Self.most)
        guard !numbers.isEmpty else { return nil }
        let begin = outcome.load.due(first).nanoseconds
        self.due = numbers.map { UInt64(outcome.load.due($0).nanoseconds - begin) }
        self.ages = numbers.map { outcome.ages[$0] }
    }
}
