import Glibc
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
        let loss = Loss.bursty(
            GilbertElliott(.withPackets(goodToBad: 0.01, badToGood: 0.25), lossInGood: 0, lossInBad: 1)
        )
        #expect(abs(loss.average - 0.01 / 0.26) < 1e-12)
        let lost = Self.lost(loss)
        #expect(abs(Double(lost.count) / Double(Self.count) / loss.average - 1) < 0.1)
        let bursts = lost.count - zip(lost, lost.dropFirst()).count { $0 + 1 == $1 }
        #expect(abs(Double(lost.count) / Double(bursts) / 4 - 1) < 0.1)
    }

    @Test("A bursty link that never changes stays good")
    func unchanging() {
        let loss = Loss.bursty(
            GilbertElliott(.withPackets(goodToBad: 0, badToGood: 0), lossInGood: 0, lossInBad: 1)
        )
        #expect(loss.average == 0)
        #expect(Self.lost(loss).isEmpty)
    }

    /// A hundred milliseconds of it are good, then ten bad, on average.
    private static let overTime = Loss.bursty(
        GilbertElliott(.overTime(good: 100_000_000, bad: 10_000_000), lossInGood: 0, lossInBad: 1)
    )

    @Test(
        "A link that changes over time has its average, and bursts that last for a time",
        arguments: [1, 4] as [Int64]
    )
    func overTime(spacing: Int64) {
        #expect(abs(Self.overTime.average - 1.0 / 11) < 1e-12)
        let lost = Self.lost(Self.overTime, spacing: spacing * 1_000_000)
        #expect(abs(Double(lost.count) / Double(Self.count) / Self.overTime.average - 1) < 0.1)
        // A burst that no packet meets is none; of one that packets do meet, at so many milliseconds from each other, the
        // mean is the mean of a geometric distribution.
        let bursts = lost.count - zip(lost, lost.dropFirst()).count { $0 + 1 == $1 }
        let expected = 1 / (1 - exp(-Double(spacing) / 10))
        #expect(abs(Double(lost.count) / Double(bursts) / expected - 1) < 0.1)
    }

    @Test("Who falls silent in a bad time finds a good one later")
    func silence() throws {
        var simulation = LinkSimulation(Link(LinkConditions(delay: 0, loss: Self.overTime)), seed: 1, direction: .up)
        var now: Int64 = 0
        while simulation.packetArrived(bytes: 100, at: now, start: 0) != .lose { now += 1_000_000 }
        // Twenty times as long as a bad time lasts, on average: all but once in half a billion.
        let later = simulation.packetArrived(bytes: 100, at: now + 200_000_000, start: 0)
        #expect(later != .lose || simulation.packetArrived(bytes: 100, at: now + 400_000_000, start: 0) != .lose)
    }

    @Test("When a link changes depends on the seed and the time, not on who sends what")
    func schedule() {
        let sparse = Self.lost(Self.overTime, spacing: 8_000_000).map { $0 * 8 }
        let dense = Set(Self.lost(Self.overTime, spacing: 1_000_000))
        let both = sparse.prefix { $0 < Self.count }
        #expect(both.count > 100)
        #expect(both.allSatisfy(dense.contains))
    }

    /// The numbers of the packets that are lost.
    /// - Parameter spacing: nanoseconds from one to the next.
    private static func lost(_ loss: Loss, spacing: Int64 = 0) -> [Int] {
        let link = Link(LinkConditions(delay: 0, loss: loss))
        var simulation = LinkSimulation(link, seed: 1, direction: .down)
        return (0..<Self.count).filter { number in
            simulation.packetArrived(bytes: 100, at: Int64(number) * spacing, start: 0) == .lose
        }
    }
}
