import Foundation
import Histogram
import NIOCore
import Testing

@testable import TransportBenchmark

@Suite("Distributions")
struct SeriesTests {
    @Test("A summary has the percentiles of what was recorded, and the losses apart")
    func summary() {
        var series = Series()
        series.record(turn: [
            TurnResult(nanoseconds: (1...90).map { UInt64($0) }, lost: 1),
            TurnResult(nanoseconds: (91...100).map { UInt64($0) }, lost: 2),
        ])
        let summary = Summary(series)
        #expect(summary.count == 100)
        #expect(summary.lost == 3)
        #expect((summary.min, summary.p50, summary.p90) == (1, 50, 90))
        #expect((summary.p99, summary.max) == (99, 100))
        // Those that were lost took longer than all that came back.
        #expect(series.turnMedians == [52])
        #expect(series.turnTails == [100])
    }

    @Test("Nothing measured is no ratio and no median")
    func empty() {
        var series = Series()
        series.record(turn: [TurnResult(lost: 4)])
        let summary = Summary(series)
        #expect((summary.count, summary.lost, summary.p50) == (0, 4, 0))
        #expect(summary.ratio(to: summary) == nil)
        #expect(series.turnMedians.isEmpty)
        series.record(turn: [TurnResult(lost: 4)], patience: 7)
        #expect(series.turnMedians == [7], "a turn in which all was lost is one")
    }

    @Test("The raw data make the same histogram again")
    func rawData() throws {
        var series = Series()
        for exponent in 0..<36 { series.record(UInt64(1) << exponent + 3) }
        let data = try JSONDecoder().decode(
            HistogramData.self,
            from: JSONEncoder().encode(HistogramData(series.histogram))
        )
        var again = Histogram<UInt64>(
            lowestDiscernibleValue: data.lowestDiscernibleValue,
            highestTrackableValue: data.highestTrackableValue,
            numberOfSignificantValueDigits: try #require(SignificantDigits(rawValue: Int8(data.significantDigits)))
        )
        for bucket in data.buckets { again.record(bucket[0], count: bucket[1]) }
        #expect(HistogramData(again) == data)
        #expect(again.totalCount == 36)
        for percentile in [1.0, 50, 90, 99] {
            let value = again.valueAtPercentile(percentile)
            #expect(again.valuesAreEquivalent(value, series.histogram.valueAtPercentile(percentile)))
        }
    }

    @Test("Messages of one size differ by their number alone, and tell it")
    func messages() {
        let messages = EchoMessage(size: 20)
        #expect(messages.make(7).readableBytes == 20)
        #expect(messages.make(7) == messages.make(7))
        #expect(messages.make(7) != messages.make(8))
        #expect(EchoMessage.number(of: messages.make(7)) == 7)
        #expect(EchoMessage(size: 8).make(1).readableBytes == 8)
    }
}
