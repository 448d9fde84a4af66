import CoreMetrics
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
        #expect(factory.depths.max()! - factory.depths.min()! < 1024)
    }
}

/// Notes how deep the stack is when its counter is incremented.
private final class StackGauge: MetricsFactory, CounterHandler, Sendable {
    private let seen = Mutex<(total: Int64, depths: [Int])>((0, []))

    var total: Int64 { self.seen.withLock(\.total) }
    var depths: [Int] { self.seen.withLock(\.depths) }

    func increment(by amount: Int64) {
        var here = 0
        let depth = withUnsafePointer(to: &here) { Int(bitPattern: $0) }
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
