/// Decides packet by packet which ones a link loses.
struct LossProcess {
    private let random: PacketRandom
    /// The state of the bursty model, which goes on while a trace has independent loss.
    private var isBad = false

    init(random: PacketRandom) {
        self.random = random
    }

    /// - Parameter number: one more than in the call before.
    mutating func isLost(packet number: UInt64, _ loss: Loss) -> Bool {
        let draw = self.random.unit(packet: number, .loss)
        switch loss {
        case .independent(let probability):
            return draw < probability
        case .bursty(let model):
            let change = self.random.unit(packet: number, .stateChange)
            if change < (self.isBad ? model.badToGood : model.goodToBad) { self.isBad.toggle() }
            return draw < (self.isBad ? model.lossInBad : model.lossInGood)
        }
    }
}
