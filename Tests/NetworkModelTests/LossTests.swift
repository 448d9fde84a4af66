import NetworkModel
import Testing

@Suite("Loss")
struct LossTests {
    private static let count = 100_000

    @Test(
        "Independent loss has its probability, within the binomial interval of 99.9 %",
        arguments: [0, 0.001, 0.1, 1]
    )
    func independent(probability: Double) {
        let lost = Self.lost(.independent(probability))
        let share = Double(lost.count) / Double(Self.count)
        #expect(abs(share - probability) <= 3.29 * (probability * (1 - probability) / Double(Self.count)).squareRoot())
    }

    @Test("A loss does not make the next one likelier when they are independent")
    func independence() {
        let lost = Self.lost(.independent(0.1))
        let followed = zip(lost, lost.dropFirst()).count { $0 + 1 == $1 }
        #expect(abs(Double(followed) / Double(lost.count) - 0.1) < 0.01)
    }

    @Test("Bursty loss has the average of its states, and bursts as long as the bad state lasts")
    func bursty() {
        let model = GilbertElliott(goodToBad: 0.01, badToGood: 0.25, lossInGood: 0, lossInBad: 1)
        let loss = Loss.bursty(model)
        #expect(abs(loss.average - 0.01 / 0.26) < 1e-12)
        let lost = Self.lost(loss)
        #expect(abs(Double(lost.count) / Double(Self.count) / loss.average - 1) < 0.1)
        let bursts = lost.count - zip(lost, lost.dropFirst()).count { $0 + 1 == $1 }
        #expect(abs(Double(lost.count) / Double(bursts) / (1 / model.badToGood) - 1) < 0.1)
    }

    @Test("A bursty link that never changes stays good")
    func unchanging() {
        let loss = Loss.bursty(GilbertElliott(goodToBad: 0, badToGood: 0, lossInGood: 0, lossInBad: 1))
        #expect(loss.average == 0)
        #expect(Self.lost(loss).isEmpty)
    }

    /// The numbers of the packets that are lost.
    private static func lost(_ loss: Loss) -> [Int] {
        let link = Link(LinkConditions(delay: 0, loss: loss))
        var simulation = LinkSimulation(link, seed: 1, direction: .down)
        return (0..<Self.count).filter { _ in simulation.packetArrived(bytes: 100, at: 0, start: 0) == .lose }
    }
}
