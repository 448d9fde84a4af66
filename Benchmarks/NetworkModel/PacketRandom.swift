/// Random numbers that depend on the seed, the direction and the packet's number alone: whenever the packet comes, and
/// whatever came of those before it.
///
/// This is SplitMix64 at any place of its sequence: each packet has as many places as there are purposes.
struct PacketRandom {
    enum Purpose: UInt64, CaseIterable {
        case jitter, loss, stateChange
    }

    private let origin: UInt64

    init(seed: UInt64, direction: Direction) {
        // Mixed, so that the sequences of neighbouring seeds do not overlap shifted by one.
        let place: UInt64 =
            switch direction {
            case .up: 1
            case .down: 2
            }
        self.origin = SplitMix64.mix(SplitMix64.mix(seed) &+ place &* SplitMix64.increment)
    }

    /// Uniform in 0 ..< 1.
    func unit(packet number: UInt64, _ purpose: Purpose) -> Double {
        let place = number &* UInt64(Purpose.allCases.count) &+ purpose.rawValue &+ 1
        // The 53 bits that a Double holds.
        return Double(SplitMix64.mix(self.origin &+ place &* SplitMix64.increment) >> 11) * 0x1p-53
    }
}
