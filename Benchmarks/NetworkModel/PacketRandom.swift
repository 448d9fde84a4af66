/// Random numbers that depend on the seed, the direction and the packet's number alone: whenever the packet comes, and
/// whatever came of those before it.
///
/// This is SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014) at any place of its
/// sequence: each packet has as many places as there are purposes.
struct PacketRandom {
    enum Purpose: UInt64, CaseIterable {
        case jitter, loss, stateChange
    }

    /// The odd number nearest to 2⁶⁴ divided by the golden ratio.
    private static let increment: UInt64 = 0x9e37_79b9_7f4a_7c15

    private let origin: UInt64

    init(seed: UInt64, direction: Direction) {
        // Mixed, so that the sequences of neighbouring seeds do not overlap shifted by one.
        let place: UInt64 =
            switch direction {
            case .up: 1
            case .down: 2
            }
        self.origin = Self.mix(Self.mix(seed) &+ place &* Self.increment)
    }

    /// Uniform in 0 ..< 1.
    func unit(packet number: UInt64, _ purpose: Purpose) -> Double {
        let place = number &* UInt64(Purpose.allCases.count) &+ purpose.rawValue &+ 1
        // The 53 bits that a Double holds.
        return Double(Self.mix(self.origin &+ place &* Self.increment) >> 11) * 0x1p-53
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
