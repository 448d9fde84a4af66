import Testing

@testable import TransportBenchmark

@Suite("The order of turns")
struct ScheduleTests {
    @Test("Every transport has one turn in each round, and follows each other one equally often", arguments: 2...8)
    func balance(count: Int) {
        let elements = Array(0..<count)
        let period = count % 2 == 0 ? count : 2 * count
        var followers: [[Int]: Int] = [:]
        for round in 0..<period {
            let order = Schedule.order(of: elements, in: round)
            #expect(order.sorted() == elements)
            for pair in zip(order, order.dropFirst()) { followers[[pair.0, pair.1], default: 0] += 1 }
        }
        #expect(followers.count == count * (count - 1))
        #expect(Set(followers.values) == [period / count])
    }

    @Test("No message is lost or added by the rounds", arguments: [(10, 3), (3, 3), (1_000, 7), (5, 1)])
    func evenShares(messages: Int, rounds: Int) {
        let schedule = Schedule(transports: TransportKind.allCases, rounds: rounds, messages: messages)
        for transport in TransportKind.allCases {
            let shares = schedule.turns.filter { $0.transport == transport }.map(\.messages)
            #expect(shares.count == rounds)
            #expect(shares.reduce(0, +) == messages)
            #expect((shares.max() ?? 0) - (shares.min() ?? 0) <= 1)
        }
    }

    @Test("What is alone, or nothing, has one order")
    func small() {
        #expect(Schedule.order(of: [1], in: 5) == [1])
        #expect(Schedule.order(of: [Int](), in: 5) == [])
    }
}
