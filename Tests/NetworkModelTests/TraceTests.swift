import NetworkModel
import Testing

@Suite("A trace")
struct TraceTests {
    private static let rows = [Trace.Row(time: 10, delay: 100), Trace.Row(time: 20, bandwidth: 8_000_000_000)]

    @Test("A row holds until the next; what it leaves out is as configured, and so is the time before the first")
    func rows() {
        let link = Link(LinkConditions(delay: 1_000), trace: Trace(rows: Self.rows))
        // A byte takes a nanosecond in the second row.
        #expect(Self.arrivals(link, after: [0, 9, 10, 19, 20, 5_000]) == [1_000, 1_009, 110, 119, 1_021, 6_001])
    }

    @Test("After its period a trace begins anew")
    func period() {
        let link = Link(LinkConditions(delay: 1_000), trace: Trace(rows: Self.rows, period: 30))
        #expect(Self.arrivals(link, after: [30, 40, 45]) == [1_030, 140, 145])
    }

    @Test("No packet arrives before it was sent, though a trace's jitter is above its delay")
    func jitterAboveDelay() {
        let trace = Trace(rows: [Trace.Row(time: 0, delay: 5, jitter: 1_000)])
        let link = Link(LinkConditions(delay: 1_000), reorders: true, trace: trace)
        #expect(Self.arrivals(link, after: Array(repeating: 50, count: 100)).allSatisfy { $0 >= 50 })
    }

    /// Each packet has one byte and a link of its own, whose order none disturbs.
    private static func arrivals(_ link: Link, after times: [Int64]) -> [Int64] {
        let start: Int64 = 1_000_000
        return times.compactMap { time in
            var simulation = LinkSimulation(link, seed: 1, direction: .up)
            guard
                case .deliver(let arrival) = simulation.packetArrived(bytes: 1, at: start + time, start: start)
            else { return nil }
            return arrival - start
        }
    }
}
