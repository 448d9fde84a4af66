import NetworkModel
import Testing

@testable import NetworkEmulation

/// These alone assert times: that is what the emulator promises. A busy machine can only add to a delay, so the best of
/// several attempts counts, and nothing may ever come early.
@Suite(
    "A real link keeps what its configuration says",
    .serialized,
    .enabled(if: EmulatedPair.obstacle == nil, Comment(rawValue: EmulatedPair.obstacle ?? "")),
    .timeLimit(.minutes(1))
)
struct AccuracyTests {
    private static let attempts = 15

    @Test("A packet is delayed as configured: the median within 0.3 ms, and none comes early")
    func delay() async throws {
        let delay: Int64 = 10_000_000
        let network = Self.network(LinkConditions(delay: delay))
        let (medians, report) = try await EmulatedPair.run(network) { pair in
            defer { pair.close() }
            var medians: [Int64] = []
            while medians.count < Self.attempts, medians.last.map({ $0 > delay + 300_000 }) ?? true {
                let delays = try (0..<UInt32(40)).map { number -> Int64 in
                    let start = MonotonicClock.now()
                    try pair.send(number)
                    try #require(pair.receive() == number)
                    return MonotonicClock.now() - start
                }
                try #require(delays.allSatisfy { $0 >= delay })
                medians.append(delays.sorted()[delays.count / 2])
            }
            return medians
        }
        let best = medians.min() ?? .max
        #expect(best <= delay + 300_000, "the emulator's own share: \(report.up.lateness)")
    }

    @Test("The rate is the bandwidth within 2 %")
    func rate() async throws {
        let (count, size, headers, bandwidth) = (400, 1_000, 28, 20_000_000.0)
        // All are sent before the first arrives.
        let conditions = LinkConditions(delay: 50_000_000, bandwidth: Int64(bandwidth))
        let network = Self.network(conditions, queue: count)
        let (rates, _) = try await EmulatedPair.run(network) { pair in
            defer { pair.close() }
            var rates: [Double] = []
            while rates.count < Self.attempts, rates.last.map({ abs($0 / bandwidth - 1) > 0.02 }) ?? true {
                // Numbers go on, so that what is late of an attempt is not taken for the next one's.
                let numbers = UInt32(rates.count * count)..<UInt32((rates.count + 1) * count)
                for number in numbers { try pair.send(number, size: size) }
                var first = try #require(pair.receive())
                while !numbers.contains(first) { first = try #require(pair.receive()) }
                let start = MonotonicClock.now()
                var (last, end) = (first, start)
                // A receiver that is not scheduled may miss some in between; the numbers tell how many passed.
                while last + 1 < numbers.upperBound, let number = pair.receive(within: 100) {
                    (last, end) = (number, MonotonicClock.now())
                }
                rates.append(Double(Int(last - first) * (size + headers) * 8) * 1e9 / Double(end - start))
            }
            return rates
        }
        let best = try #require(rates.min { abs($0 - bandwidth) < abs($1 - bandwidth) })
        #expect(abs(best / bandwidth - 1) <= 0.02)
    }

    @Test("Loss is within the binomial interval of 99.9 %, and the packets that the seed says are lost are")
    func loss() async throws {
        let (count, probability, seed) = (10_000, 0.05, UInt64(7))
        let network = Self.network(LinkConditions(delay: 0, loss: .independent(probability)))
        var simulation = LinkSimulation(network.up, seed: seed, direction: .up)
        let expected = (0..<UInt32(count)).filter { _ in
            simulation.packetArrived(bytes: 32, at: 0, start: 0) != .lose
        }
        let (received, report) = try await EmulatedPair.run(network, seed: seed) { pair in
            defer { pair.close() }
            var received: [UInt32] = []
            var awaited = expected[...]
            // No more at a time than the receiver's buffer holds.
            for batch in stride(from: UInt32(0), to: UInt32(count), by: 100) {
                for number in batch..<batch + 100 { try pair.send(number) }
                while let next = awaited.first, next < batch + 100 {
                    received.append(try #require(pair.receive(), "\(next) is not one of those that are lost"))
                    awaited.removeFirst()
                }
            }
            #expect(pair.receive(within: 10) == nil)
            return received
        }
        #expect(received == expected)
        #expect(report.up.counts.packets == UInt64(count))
        #expect(report.up.counts.lost == UInt64(count - expected.count))
        // 3.29 standard deviations.
        let bound = 3.29 * (probability * (1 - probability) / Double(count)).squareRoot()
        #expect(abs(report.up.observedLoss - probability) <= bound)
    }

    private static func network(_ conditions: LinkConditions, queue: Int = 1_000) -> Network {
        let link = Link(conditions, queue: queue)
        return Network(name: "test", up: link, down: link)
    }
}
