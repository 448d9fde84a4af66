// As in a file of results: a probability, or an object of the bursty model; its times in nanoseconds.

extension Loss: Codable {
    public init(from decoder: any Decoder) throws {
        do {
            self = .independent(try decoder.singleValueContainer().decode(Double.self))
        } catch DecodingError.typeMismatch {
            self = .bursty(try GilbertElliott(from: decoder))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        switch self {
        case .independent(let probability):
            var container = encoder.singleValueContainer()
            try container.encode(probability)
        case .bursty(let model):
            try model.encode(to: encoder)
        }
    }
}

extension GilbertElliott: Codable {
    private enum CodingKeys: CodingKey {
        case goodToBad, badToGood, meanGood, meanBad, lossInGood, lossInBad
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let change: Change =
            if container.contains(.meanGood) {
                .overTime(
                    good: try container.decode(Int64.self, forKey: .meanGood),
                    bad: try container.decode(Int64.self, forKey: .meanBad)
                )
            } else {
                .withPackets(
                    goodToBad: try container.decode(Double.self, forKey: .goodToBad),
                    badToGood: try container.decode(Double.self, forKey: .badToGood)
                )
            }
        self.init(
            change,
            lossInGood: try container.decode(Double.self, forKey: .lossInGood),
            lossInBad: try container.decode(Double.self, forKey: .lossInBad)
        )
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        switch self.change {
        case .withPackets(let goodToBad, let badToGood):
            try container.encode(goodToBad, forKey: .goodToBad)
            try container.encode(badToGood, forKey: .badToGood)
        case .overTime(let good, let bad):
            try container.encode(good, forKey: .meanGood)
            try container.encode(bad, forKey: .meanBad)
        }
        try container.encode(self.lossInGood, forKey: .lossInGood)
        try container.encode(self.lossInBad, forKey: .lossInBad)
    }
}
