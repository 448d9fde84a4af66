import CoreMetrics
import Foundation
import Synchronization
import Testing

@testable import WebTransport

@Suite struct MetricsPublisherTests {
    @Test func theInstrumentOfASeriesIsReachedAlikeHoweverOftenItWasPublished() {
        let factory = StackGauge()
        var publisher = MetricsPublisher(factory: factory)
        for value in 1...10_000 { publisher.publish([.init(.retries, value)]) }
        #expect(factory.total == 10_000)
        // A closure that went through a collection each time had 20,000 frames around it by then.
        #expect(Set(factory.depths) == [factory.depths[0]])
        #expect(factory.depths[0] < StackGauge.maximum)
    }
}

/// Notes how many frames are on the stack when its counter is incremented.
private final class StackGauge: MetricsFactory, CounterHandler, Sendable {
    /// More than this Foundation does not count.
    static let maximum = 128

    private let seen = Mutex<(total: Int64, depths: [Int])>((0, []))

    var total: Int64 { self.seen.withLock(\.total) }
    var depths: [Int] { self.seen.withLock(\.depths) }

    func increment(by amount: Int64) {
        let depth = Thread.callStackReturnAddresses.count
        self.seen.withLock {
            $0.total += amount
            $0.depths.append(depth)
        }
    }

    func reset() {}
    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler { self }
    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        fatalError("only counters are made here")
    }
    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        fatalError("only counters are made here")
    }
    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}
}
