import NIOCore
import NIOEmbedded
import Testing

@testable import TransportBenchmark

private let millisecond: UInt64 = 1_000_000

@Suite("What came of messages that had their times")
struct PacedOutcomeTests {
    /// Two sequences that take turns: one message every 5 ms, of which the first four do not count.
    private static var load: PacedLoad {
        var load = PacedLoad(sequences: 2, rate: 100, seconds: 0.04)
        load.warmUpSeconds = 0.02
        return load
    }

    private static func outcome(_ milliseconds: [UInt64?]) -> PacedOutcome {
        PacedOutcome(
            load: Self.load,
            ages: milliseconds.map { $0.map { $0 * millisecond } },
            lateness: milliseconds.indices.map { UInt64($0) }
        )
    }

    @Test("Sequences take turns, evenly spread over time")
    func times() {
        #expect(Self.load.count == 12)
        #expect(Self.load.firstCounted == 4)
        #expect((0..<4).map(Self.load.due) == [0, 5, 10, 15].map { .milliseconds($0) })
        #expect((0..<4).map(Self.load.sequence) == [0, 1, 0, 1])
    }

    @Test("What belongs to the warm-up counts nowhere; what did not come is lost")
    func counting() {
        let outcome = Self.outcome([90, nil, 90, 90, 1, 2, 3, nil, 5, 6, nil, 8])
        #expect(outcome.result == TurnResult(nanoseconds: [1, 2, 3, 5, 6, 8].map { $0 * millisecond }, lost: 2))
        #expect(Array(outcome.countedLateness) == [4, 5, 6, 7, 8, 9, 10, 11])
    }

    @Test("Fresh is what is newer than all of its sequence before: others overtake without harm")
    func freshness() {
        // Message 4 arrives at 20 + 15 ms, after 6 of its sequence at 30 + 1; 5 arrives after 6 as well, but is another's.
        let outcome = Self.outcome([1, 1, 1, 1, 15, 10, 1, 1, 1, 1, nil, 1])
        #expect(outcome.freshCount == 6)
    }

    @Test("Staleness grows by a millisecond each millisecond, and falls to the age of what brings news")
    func staleness() {
        // Sequence 0 has messages every 10 ms, each there after 2; that of 40 ms is lost. Sequence 1 never comes.
        let outcome = Self.outcome([2, nil, 2, nil, 2, nil, 2, nil, nil, nil, 2, nil])
        let expected: [UInt64] = [
            // From the end of the warm-up, at 20 ms: what is known is from 10 ms.
            10, 11, 2, 3, 4, 5, 6, 7, 8, 9,
            10, 11, 2, 3, 4, 5, 6, 7, 8, 9,
            10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
            20, 21, 2, 3, 4, 5, 6, 7, 8, 9,
        ]
        #expect(outcome.staleness == expected.map { $0 * millisecond })
    }

    @Test("An old message that comes late makes nothing fresher")
    func late() {
        let inTime = Self.outcome([2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2])
        let overtaken = Self.outcome([2, 2, 2, 2, 30, 2, 2, 2, 2, 2, 2, 2])
        #expect(inTime.freshCount == 8)
        #expect(overtaken.freshCount == 7)
        #expect((overtaken.staleness.max() ?? 0) == 21 * millisecond)
    }
}

@Suite("The log of arrivals")
struct ArrivalLogTests {
    private let loop = EmbeddedEventLoop()
    private let messages = PacedMessages(size: 16, bulkSize: nil)

    private func makeLog(sending count: Int) throws -> ArrivalLog {
        var load = PacedLoad(sequences: 1, rate: 1_000, seconds: 0.004)
        load.warmUpSeconds = 0
        let log = ArrivalLog(load, messages: self.messages, eventLoop: self.loop)
        log.begin(at: .uptimeNanoseconds(0))
        for number in 0..<count { try log.sending(at: log.due(number)) }
        return log
    }

    @Test("An age counts from when the message was due, not from when it was sent")
    func ages() throws {
        let log = try self.makeLog(sending: 1)
        try log.sending(at: log.due(1) + .milliseconds(7))
        log.arrived(self.messages.make(1), at: log.due(1) + .milliseconds(9))
        #expect(log.outcome.ages == [nil, 9 * millisecond, nil, nil])
        #expect(log.outcome.lateness == [0, 7 * millisecond])
    }

    @Test("What comes twice counts once, as it came first")
    func duplicates() throws {
        let log = try self.makeLog(sending: 1)
        log.arrived(self.messages.make(0), at: log.due(0) + .milliseconds(1))
        log.arrived(self.messages.make(0), at: log.due(0) + .milliseconds(2))
        #expect(log.outcome.ages.first == millisecond)
    }

    @Test("What was not sent, or came back changed, ends the measurement", arguments: [3, .max])
    func mismatch(number: UInt64) throws {
        let unsent = try self.makeLog(sending: 2)
        unsent.arrived(self.messages.make(number), at: .now())
        #expect(throws: BenchmarkError.self) { try unsent.sending(at: .now()) }
        let changed = try self.makeLog(sending: 2)
        changed.arrived(EchoMessage(size: 17).make(0), at: .now())
        #expect(throws: BenchmarkError.self) { try changed.sending(at: .now()) }
    }

    @Test("Who waits for all hears at once when all are there, and else when the time is over")
    func waiting() async throws {
        let complete = try self.makeLog(sending: 4)
        for number in 0..<4 { complete.arrived(self.messages.make(UInt64(number)), at: .now()) }
        try await withCheckedThrowingContinuation { complete.awaitAll(within: .hours(1), $0) }

        let last = try self.makeLog(sending: 4)
        for number in 0..<3 { last.arrived(self.messages.make(UInt64(number)), at: .now()) }
        try await withCheckedThrowingContinuation { continuation in
            last.awaitAll(within: .hours(1), continuation)
            last.arrived(self.messages.make(3), at: .now())
        }

        let incomplete = try self.makeLog(sending: 4)
        try await withCheckedThrowingContinuation { continuation in
            incomplete.awaitAll(within: .seconds(1), continuation)
            self.loop.advanceTime(by: .seconds(1))
        }
        #expect(incomplete.outcome.result.lost == 4)
    }

    @Test("Who waits for all hears of a session that has ended")
    func failure() async throws {
        let log = try self.makeLog(sending: 4)
        await #expect(throws: BenchmarkError.self) {
            try await withCheckedThrowingContinuation { continuation in
                log.awaitAll(within: .hours(1), continuation)
                log.fail(.ended("it was lost"))
            }
        }
    }
}
