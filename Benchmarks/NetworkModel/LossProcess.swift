import Glibc

/// Decides packet by packet which ones a link loses.
struct LossProcess {
    private let random: PacketRandom
    /// The state of the bursty model, which goes on while a trace has independent loss.
    private var isBad = false
    /// When it changes next, of a link that changes over time, and how often it has changed; nil before the first packet.
    private var nextChange: (time: Int64, number: UInt64)?

    init(random: PacketRandom) {
        self.random = random
    }

    /// - Parameters:
    ///   - number: one more than in the call before.
    ///   - time: since the link's beginning; not before that of the call before.
    mutating func isLost(packet number: UInt64, at time: Int64, _ loss: Loss) -> Bool {
        let draw = self.random.unit(packet: number, .loss)
        switch loss {
        case .independent(let probability):
            return draw < probability
        case .bursty(let model):
            switch model.change {
            case .withPackets(let goodToBad, let badToGood):
                let change = self.random.unit(packet: number, .stateChange)
                if change < (self.isBad ? badToGood : goodToBad) { self.isBad.toggle() }
            case .overTime(let good, let bad):
                self.advance(to: time, good: good, bad: bad)
            }
            return draw < (self.isBad ? model.lossInBad : model.lossInGood)
        }
    }

    private mutating func advance(to time: Int64, good: Int64, bad: Int64) {
        var (change, number) = self.nextChange ?? (self.duration(of: 0, mean: good), 1)
        while change <= time {
            self.isBad.toggle()
            change += self.duration(of: number, mean: self.isBad ? bad : good)
            number += 1
        }
        self.nextChange = (change, number)
    }

    /// Of the state behind so many changes. The inverse of the exponential distribution; a nanosecond at least, so that time
    /// goes on.
    private func duration(of number: UInt64, mean: Int64) -> Int64 {
        max(1, Int64(-log(1 - self.random.unit(packet: number, .stateChange)) * Double(mean)))
    }
}
