/// The order in which transports take their turns.
///
/// Every transport has one turn in each round, and each round begins with the next transport in line: what drifts
/// during the run (clock frequency, other load) and what one turn leaves behind for the next hits all of them alike.
public struct Schedule: Sendable, Hashable {
    /// One transport's part of one round.
    public struct Turn: Sendable, Hashable {
        public let round: Int
        public let transport: TransportKind
        /// Round trips, over all connections.
        public let messages: Int
    }

    public let turns: [Turn]

    /// - Parameter messages: for each transport, spread over the rounds as evenly as whole numbers allow.
    public init(transports: [TransportKind], rounds: Int, messages: Int) {
        let shares = Self.split(messages, into: rounds)
        self.turns = shares.enumerated().flatMap { round, share in
            Self.rotated(transports, by: round).map { Turn(round: round, transport: $0, messages: share) }
        }
    }

    /// The elements from the given position on, then those before it; the position wraps around.
    public static func rotated<Element>(_ elements: [Element], by position: Int) -> [Element] {
        guard !elements.isEmpty else { return [] }
        let start = position % elements.count
        return Array(elements[start...] + elements[..<start])
    }

    /// Whole shares of a number, the larger ones first, that differ by one at most.
    /// - Precondition: at least one part.
    public static func split(_ total: Int, into parts: Int) -> [Int] {
        precondition(parts > 0, "a number is split into at least one part")
        return (0..<parts).map { total / parts + ($0 < total % parts ? 1 : 0) }
    }
}
