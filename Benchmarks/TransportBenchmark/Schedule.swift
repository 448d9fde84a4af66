/// The order in which transports take their turns.
///
/// Every transport has one turn in each round, so that what drifts during the run (clock frequency, other load) hits all
/// alike; and over some rounds each follows each other one equally often, so that what one turn leaves behind for the next
/// does too (a balanced Latin square: Williams, Australian Journal of Scientific Research A 2, 1949).
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
            Self.order(of: transports, in: round).map { Turn(round: round, transport: $0, messages: share) }
        }
    }

    /// The elements in the order of one round: 0, 1, n-1, 2, n-2 and so on, shifted by the round. An odd number of them needs
    /// the mirror image of each such order, too.
    public static func order<Element>(of elements: [Element], in round: Int) -> [Element] {
        let count = elements.count
        guard count > 1 else { return elements }
        let isMirrored = count % 2 == 1 && round / count % 2 == 1
        let row = (0..<count).map { column in
            let place = column % 2 == 1 ? (column + 1) / 2 : count - column / 2
            return elements[(place + round) % count]
        }
        return isMirrored ? row.reversed() : row
    }

    /// Whole shares of a number, the larger ones first, that differ by one at most.
    /// - Precondition: at least one part.
    public static func split(_ total: Int, into parts: Int) -> [Int] {
        precondition(parts > 0, "a number is split into at least one part")
        return (0..<parts).map { total / parts + ($0 < total % parts ? 1 : 0) }
    }
}
