import NetworkModel

/// How many times as much one transport takes as another, and how sure that is.
///
/// A bootstrap over rounds: of all that were measured, as many are drawn again, with repetition, and the ratio of the medians
/// of what both transports did in them is taken; of 2,000 such ratios the middle 95 % are the interval. Both transports
/// had the same rounds: what held up one round held up both.
public struct RatioInterval: Sendable, Hashable, Codable {
    /// Of the medians over all rounds.
    public var ratio: Double
    public var low: Double
    public var high: Double

    /// Fewer rounds say nothing about their spread.
    public static let leastRounds = 5
    private static let draws = 2_000

    /// What the interval says of the two.
    public enum Verdict: Hashable, Sendable {
        case less
        case more
        /// One is within the interval.
        case undecided
    }

    public var verdict: Verdict {
        if self.high < 1 { return .less }
        return self.low > 1 ? .more : .undecided
    }

    /// - Parameters:
    ///   - values: of each round, such as its median.
    ///   - reference: the other transport's, in the same order.
    /// - Returns: nil when there are too few rounds, or not the same ones.
    public init?(of values: [UInt64], to reference: [UInt64]) {
        guard values.count == reference.count, values.count >= Self.leastRounds, !reference.contains(0) else {
            return nil
        }
        let rounds = Array(zip(values, reference))
        self.init(of: Self.ratio(rounds), seed: rounds.count) { random in Self.ratio(Self.redrawn(rounds, &random)) }
    }

    /// The same of rounds that have nothing to do with each other, such as those of two runs: each is drawn for itself.
    public init?(of values: [UInt64], toUnrelated reference: [UInt64]) {
        guard min(values.count, reference.count) >= Self.leastRounds, !reference.contains(0) else { return nil }
        self.init(of: Self.median(values) / Self.median(reference), seed: values.count + reference.count) { random in
            Self.median(Self.redrawn(values, &random)) / Self.median(Self.redrawn(reference, &random))
        }
    }

    private init(of ratio: Double, seed: Int, _ draw: (inout SplitMix64) -> Double) {
        // Always the same draws: a report can be made again from its file.
        var random = SplitMix64(seed: UInt64(seed))
        let ratios = (0..<Self.draws).map { _ in draw(&random) }.sorted()
        self.ratio = ratio
        self.low = ratios[Self.draws * 25 / 1_000]
        self.high = ratios[Self.draws - 1 - Self.draws * 25 / 1_000]
    }

    private static func redrawn<Element>(_ elements: [Element], _ random: inout SplitMix64) -> [Element] {
        elements.map { _ in elements[Int.random(in: elements.indices, using: &random)] }
    }

    private static func ratio(_ rounds: [(UInt64, UInt64)]) -> Double {
        Self.median(rounds.map(\.0)) / Self.median(rounds.map(\.1))
    }

    private static func median(_ values: [UInt64]) -> Double {
        let sorted = values.sorted()
        return (Double(sorted[(sorted.count - 1) / 2]) + Double(sorted[sorted.count / 2])) / 2
    }
}
