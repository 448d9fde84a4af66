import NetworkModel
import Testing

@Suite("One direction of a network")
struct LinkSimulationTests {
    private typealias Fate = LinkSimulation.Fate

    @Test("A packet arrives when it has been transmitted and delayed; those behind it wait for the transmitter")
    func transmission() {
        // 1,000 bytes at 8 Mbit/s take a millisecond.
        let link = Link(LinkConditions(delay: 5_000_000, bandwidth: 8_000_000))
        #expect(
            Self.fates(link, at: [0, 0, 10_000_000]) == [6_000_000, 7_000_000, 16_000_000].map { .deliver(at: $0) }
        )
    }

    @Test("Without a bandwidth packets do not wait for each other, whatever the queue")
    func noBandwidth() {
        let link = Link(LinkConditions(delay: 5), queue: 1)
        #expect(Self.fates(link, at: [0, 0, 1]) == [5, 5, 6].map { .deliver(at: $0) })
    }

    @Test("A full queue drops what comes, and has room again when a packet has been transmitted")
    func fullQueue() {
        let link = Link(LinkConditions(delay: 0, bandwidth: 8_000_000), queue: 2)
        var simulation = LinkSimulation(link, seed: 1, direction: .up)
        let fates = [0, 0, 0, 1_000_000].map { simulation.packetArrived(bytes: 1_000, at: $0, start: 0) }
        #expect(fates == [.deliver(at: 1_000_000), .deliver(at: 2_000_000), .drop, .deliver(at: 3_000_000)])
        #expect(simulation.counts.dropped == 1)
        #expect(simulation.counts.largestQueue == 2)
        #expect(simulation.counts.bytes == 4_000)
    }

    @Test("Jitter stays in its bounds, reaches both halves, and is drawn for each packet")
    func jitter() {
        let link = Link(LinkConditions(delay: 1_000, jitter: 400), reorders: true)
        let delays = Self.arrivals(link, at: Array(repeating: 0, count: 1_000))
        #expect(delays.allSatisfy { (600...1_400).contains($0) })
        #expect(delays.contains { $0 < 700 } && delays.contains { $0 > 1_300 })
        #expect(abs(delays.reduce(0, +) / 1_000 - 1_000) < 30)
    }

    @Test(
        "With reordering off no packet overtakes another, with it on some do and are counted",
        arguments: [false, true]
    )
    func reordering(reorders: Bool) {
        let link = Link(LinkConditions(delay: 1_000, jitter: 400), reorders: reorders)
        var simulation = LinkSimulation(link, seed: 1, direction: .up)
        let arrivals = Self.arrivals(&simulation, at: Array(stride(from: 0, to: 10_000, by: 10)))
        #expect(arrivals.elementsEqual(arrivals.sorted()) == !reorders)
        #expect((simulation.counts.reordered > 0) == reorders)
    }

    @Test("The same seed means the same fate for each packet; another seed or direction another")
    func determinism() {
        let link = Link(LinkConditions(delay: 1_000, jitter: 400, loss: .independent(0.2)), reorders: true)
        let times = Array(repeating: Int64(0), count: 1_000)
        let fates = Self.fates(link, at: times, seed: 5)
        #expect(Self.fates(link, at: times, seed: 5) == fates)
        #expect(Self.fates(link, at: times, seed: 6) != fates)
        #expect(Self.fates(link, at: times, seed: 5, .down) != fates)
    }

    @Test("Which packets are lost depends neither on when they come nor on a full queue before them")
    func fateIsIndependentOfTime() {
        let conditions = LinkConditions(delay: 0, loss: .independent(0.3), bandwidth: 8_000_000)
        let late = Self.fates(Link(conditions), at: (0..<1_000).map { $0 * 1_000_000 })
        let early = Self.fates(Link(conditions, queue: 10), at: (0..<1_000).map { $0 * 300_000 })
        let isLost = late.map { $0 == .lose }
        #expect(early.contains(.drop))
        for (fate, isLost) in zip(early, isLost) where fate != .drop { #expect((fate == .lose) == isLost) }
    }

    @Test("The first fates of seed 1 are these: a result of today can be repeated with the next version")
    func recordedFates() {
        let link = Link(LinkConditions(delay: 0, loss: .independent(0.1)))
        let fates = Self.fates(link, at: Array(repeating: 0, count: 100))
        // Computed apart from this code, from the definition of SplitMix64.
        #expect(fates.indices.filter { fates[$0] == .lose } == [1, 2, 18, 19, 25, 28, 50, 54, 75, 88, 92, 95])
    }

    private static func fates(
        _ link: Link,
        at times: [Int64],
        seed: UInt64 = 1,
        _ direction: Direction = .up
    ) -> [Fate] {
        var simulation = LinkSimulation(link, seed: seed, direction: direction)
        return times.map { simulation.packetArrived(bytes: 1_000, at: $0, start: 0) }
    }

    private static func arrivals(_ link: Link, at times: [Int64]) -> [Int64] {
        var simulation = LinkSimulation(link, seed: 1, direction: .up)
        return Self.arrivals(&simulation, at: times)
    }

    private static func arrivals(_ simulation: inout LinkSimulation, at times: [Int64]) -> [Int64] {
        times.compactMap { time in
            guard case .deliver(let arrival) = simulation.packetArrived(bytes: 1_000, at: time, start: 0) else {
                return nil
            }
            return arrival
        }
    }
}
