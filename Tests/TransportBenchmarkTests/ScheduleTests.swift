import Testing

@testable import TransportBenchmark

@Suite("The order of turns")
struct ScheduleTests {
    @Test("Each round begins with the next transport, and every transport has one turn in it")
    func rotation() {
        let schedule = Schedule(
            transports: [.webTransportDatagram, .webTransportStream, .webSocket],
            rounds: 4,
            messages: 8
        )
        let rounds = (0..<4).map { round in schedule.turns.filter { $0.round == round }.map(\.transport) }
        #expect(
            rounds == [
                [.webTransportDatagram, .webTransportStream, .webSocket],
                [.webTransportStream, .webSocket, .webTransportDatagram],
                [.webSocket, .webTransportDatagram, .webTransportStream],
                [.webTransportDatagram, .webTransportStream, .webSocket],
            ]
        )
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

    @Test("Rotating wraps around")
    func wrapping() {
        #expect(Schedule.rotated([1, 2, 3], by: 5) == [3, 1, 2])
        #expect(Schedule.rotated([Int](), by: 5) == [])
    }
}
