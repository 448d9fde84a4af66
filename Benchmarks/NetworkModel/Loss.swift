/// How a link loses packets.
public enum Loss: Sendable, Hashable, Codable {
    /// Each with this probability.
    case independent(Double)
    case bursty(GilbertElliott)

    /// The share of packets that is lost in the long run.
    public var average: Double {
        switch self {
        case .independent(let probability): probability
        case .bursty(let model): model.average
        }
    }
}

/// The model of Gilbert and Elliott: a link that is now good, now bad, and loses more while it is bad.
///
/// Its state may change before each packet. All values are probabilities.
public struct GilbertElliott: Sendable, Hashable, Codable {
    public var goodToBad: Double
    public var badToGood: Double
    public var lossInGood: Double
    public var lossInBad: Double

    public init(goodToBad: Double, badToGood: Double, lossInGood: Double, lossInBad: Double) {
        self.goodToBad = goodToBad
        self.badToGood = badToGood
        self.lossInGood = lossInGood
        self.lossInBad = lossInBad
    }

    var average: Double {
        let changes = self.goodToBad + self.badToGood
        // It begins good, and stays so when nothing changes.
        let badShare = changes > 0 ? self.goodToBad / changes : 0
        return badShare * self.lossInBad + (1 - badShare) * self.lossInGood
    }
}
