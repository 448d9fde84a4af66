import Testing

@testable import TransportBenchmark

@Suite("How sure a comparison is")
struct RatioIntervalTests {
    @Test("Rounds that differ by more than they spread are called, in either direction")
    func called() throws {
        let fast: [UInt64] = [100, 102, 98, 101, 99, 103]
        let slow: [UInt64] = [150, 149, 152, 151, 148, 150]
        let more = try #require(RatioInterval(of: slow, to: fast))
        #expect(more.verdict == .more)
        #expect(more.low > 1.4 && more.low <= more.ratio && more.ratio <= more.high && more.high < 1.6)
        let less = try #require(RatioInterval(of: fast, to: slow))
        #expect(less.verdict == .less)
    }

    @Test("Rounds that spread more than they differ are not")
    func undecided() throws {
        let one: [UInt64] = [100, 180, 90, 210, 130, 160]
        let other: [UInt64] = [170, 100, 200, 95, 150, 120]
        #expect(try #require(RatioInterval(of: one, to: other)).verdict == .undecided)
        let same = try #require(RatioInterval(of: one, to: one))
        #expect((same.ratio, same.low, same.high) == (1, 1, 1))
        #expect(same.verdict == .undecided)
    }

    @Test("What holds up a round holds up both: drift does not hide a difference")
    func drift() throws {
        let reference: [UInt64] = [100, 200, 400, 800, 1_600, 3_200]
        let interval = try #require(RatioInterval(of: reference.map { $0 * 2 }, to: reference))
        #expect(interval.ratio == 2)
        #expect(interval.low >= 1 && interval.verdict == .more)
    }

    @Test("The same rounds always give the same interval")
    func reproducible() {
        let (one, other): ([UInt64], [UInt64]) = ([5, 9, 7, 6, 8], [6, 8, 8, 5, 9])
        #expect(RatioInterval(of: one, to: other) == RatioInterval(of: one, to: other))
    }

    @Test("Too few rounds, not the same ones, or nothing measured is no comparison")
    func none() {
        #expect(RatioInterval(of: [1, 2, 3, 4], to: [1, 2, 3, 4]) == nil)
        #expect(RatioInterval(of: [1, 2, 3, 4, 5], to: [1, 2, 3, 4, 5, 6]) == nil)
        #expect(RatioInterval(of: [1, 2, 3, 4, 5], to: [1, 2, 0, 4, 5]) == nil)
    }

    @Test("The text says what is called, what is not, and what it would take")
    func text() throws {
        let slower = try #require(RatioInterval(of: [200, 201, 202, 203, 204], to: [100, 101, 102, 103, 104]))
        let lines = Self.lines([("wt-stream", slower), ("wt-datagram", nil), ("ws", nil)])
        #expect(lines.count == 3)
        #expect(lines[2].hasPrefix("  wt-stream  1.98× (") && lines[2].hasSuffix("longer"))
        #expect(Self.lines([("wt-stream", nil), ("ws", nil)]).first?.contains("5 rounds") == true)
        #expect(Self.lines([("wt-stream", slower)]).isEmpty, "there is nothing to compare with")
    }

    @Test("What was measured on a busy machine is not compared, and the text says why")
    func busy() {
        #expect(Self.lines([("wt-stream", nil), ("ws", nil)], objection: "too loud") == ["No comparison: too loud."])
        #expect(Self.lines([("ws", nil)], objection: "too loud").isEmpty, "there is nothing to compare with")
    }

    private static func lines(
        _ comparisons: [(name: String, interval: RatioInterval?)],
        objection: String? = nil
    ) -> [String] {
        ComparisonText.lines("median", comparisons, objection: objection)
    }
}
