import Testing

@testable import TransportBenchmark

@Testing.Suite("Two measurements, and many")
struct RecordDifferenceTests {
    private static func record(_ medians: [UInt64]) throws -> BenchmarkRecord {
        var record = try ReportTests.record([.roundTrip])
        for index in record.roundTrips.indices {
            record.roundTrips[index].turnMedians = medians
            record.roundTrips[index].summary.p50 = medians[medians.count / 2]
        }
        return record
    }

    @Test("A difference is called only where the interval is on one side of 1")
    func verdicts() throws {
        let before = try Self.record([100, 101, 102, 103, 104])
        func row(_ medians: [UInt64]) throws -> Substring? {
            RecordDifference(from: before, to: try Self.record(medians)).text.split(separator: "\n").last {
                $0.hasPrefix("round-trip ws")
            }
        }
        #expect(try #require(try row([200, 201, 202, 203, 204])).hasSuffix("longer"))
        #expect(try #require(try row([50, 51, 52, 53, 54])).hasSuffix("shorter"))
        #expect(try #require(try row([90, 101, 102, 110, 120])).hasSuffix("er") == false)
        #expect(try #require(try row([200, 201])).contains("–"), "two turns have no spread")
    }

    @Test("What makes figures differ beside the change is said")
    func warnings() throws {
        let before = try Self.record([1, 2, 3, 4, 5])
        #expect(!RecordDifference(from: before, to: before).text.contains("Warning"))
        var after = before
        after.machine.coreCount = 64
        after.settings.size = 9
        after.versions?.build = "debug"
        after.add(Noise(elapsed: 1_000, coreCount: 2, others: 900, stolen: 0))
        let text = RecordDifference(from: before, to: after).text
        for phrase in ["machines differ", "different sizes", "optimised", "after: other programs used 0.90"] {
            #expect(text.contains(phrase))
        }
    }

    @Test("A file may hold any numbers")
    func extremes() throws {
        let before = try Self.record([1, 1, 1, 1, 1])
        var after = try Self.record([.max, .max, .max, .max, .max])
        after.noise = Noise(elapsed: 1, coreCount: .max, others: .max, stolen: .max)
        for (one, other) in [(before, after), (after, before), (after, after)] {
            let text = RecordDifference(from: one, to: other).text
            #expect(text.contains("round-trip ws"))
            #expect(
                !text.contains("longer") && !text.contains("shorter"),
                "what a busy machine has measured is not called"
            )
        }
    }

    @Test("Without anything in common there is nothing to compare")
    func nothing() throws {
        var other = try Self.record([1, 2, 3, 4, 5])
        (other.handshakes, other.roundTrips) = ([], [])
        let text = RecordDifference(from: try Self.record([1, 2, 3, 4, 5]), to: other).text
        #expect(text.contains("nothing in common"))
    }

    @Test("The interval of unrelated rounds holds the ratio, and does not care for their order or number")
    func unrelated() throws {
        let one = try #require(RatioInterval(of: [10, 20, 30, 40, 50, 60], toUnrelated: [10, 10, 10, 10, 10]))
        #expect(one.ratio == 3.5 && one.low <= 3.5 && one.high >= 3.5)
        #expect(RatioInterval(of: [60, 10, 30, 20, 50, 40], toUnrelated: [10, 10, 10, 10, 10])?.ratio == 3.5)
        #expect(RatioInterval(of: [1, 2, 3, 4], toUnrelated: [1, 2, 3, 4, 5]) == nil)
        #expect(RatioInterval(of: [1, 2, 3, 4, 5], toUnrelated: [1, 2, 0, 4, 5]) == nil)
    }

    @Test("Every part of a suite can be measured and compared", arguments: [TransportBenchmark.Suite.quick, .full])
    func suite(suite: TransportBenchmark.Suite) throws {
        #expect(Set(suite.parts.map(\.name)).count == suite.parts.count, "each has a file of its own")
        for part in suite.parts {
            try part.settings.validate()
            #expect(part.settings.rounds >= RatioInterval.leastRounds)
            #expect(part.settings.transports.contains(.webSocket))
        }
        #expect(suite.parts.first?.network == nil)
    }
}
