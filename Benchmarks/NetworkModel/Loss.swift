/// How a link loses packets.
public enum Loss: Sendable, Hashable {
    /// Each with this probability.
    case independent(Double)
    case bursty(GilbertElliott)

    /// The share of packets that is lost in the long run; of a link that changes over time, if they come evenly.
    public var average: Double {
        switch self {
        case .independent(let probability): probability
        case .bursty(let model): model.average
        }
    }
}

/// The model of Gilbert and Elliott: a link that is now good, now bad, and loses more while it is bad.
public struct GilbertElliott: Sendable, Hashable {
    /// When it changes.
    public enum Change: Sendable, Hashable {
        /// Before a packet, with these probabilities, as in the model's original form. A state lasts for packets: who falls
        /// silent in the bad one finds it bad when he speaks again.
        case withPackets(goodToBad: Double, badToGood: Double)
        /// After times that are exponentially distributed, with these means in nanoseconds, whether packets come or not.
        case overTime(good: Int64, bad: Int64)
    }

    public var change: Change
    /// Probabilities that a packet is lost.
    public var lossInGood: Double
    public var lossInBad: Double

    public init(_ change: Change, lossInGood: Double, lossInBad: Double) {
        self.change = change
        self.lossInGood = lossInGood
        self.lossInBad = lossInBad
    }

    var average: Double {
        let (toBad, toGood) =
            switch self.change {
            case .withPackets(let goodToBad, let badToGood): (goodToBad, badToGood)
            case .overTime(let good, let bad): (Double(bad), Double(good))
            }
        // It begins good, and stays so when nothing changes.
        let badShare = toBad + toGood > 0 ? toBad / (toBad + toGood) : 0
        return badShare * self.lossInBad + (1 - badShare) * self.lossInGood
    }
}
