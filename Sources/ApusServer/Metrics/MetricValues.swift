import CoreMetrics
import NIOConcurrencyHelpers
import Synchronization

// The values behind the instruments. Whoever counts and whoever reads are on different threads.

final class CounterValue: CounterHandler {
    private let count = Atomic<Int64>(0)

    var value: Int64 { self.count.load(ordering: .relaxed) }

    func increment(by amount: Int64) {
        self.count.wrappingAdd(amount, ordering: .relaxed)
    }

    func reset() {
        self.count.store(0, ordering: .relaxed)
    }
}

final class GaugeValue: MeterHandler, RecorderHandler {
    private let current = NIOLockedValueBox<Double>(0)

    var value: Double { self.current.withLockedValue { $0 } }

    func set(_ value: Int64) { self.set(Double(value)) }
    func set(_ value: Double) { self.current.withLockedValue { $0 = value } }
    func increment(by amount: Double) { self.current.withLockedValue { $0 += amount } }
    func decrement(by amount: Double) { self.current.withLockedValue { $0 -= amount } }
    func record(_ value: Int64) { self.set(value) }
    func record(_ value: Double) { self.set(value) }
}

/// How many values were recorded, and their sum; of a timer in seconds.
final class SummaryValue: RecorderHandler, TimerHandler {
    private let total = NIOLockedValueBox<(count: Int, sum: Double)>((0, 0))

    var value: (count: Int, sum: Double) { self.total.withLockedValue { $0 } }

    func record(_ value: Int64) { self.record(Double(value)) }

    func record(_ value: Double) {
        self.total.withLockedValue { total in
            total.count += 1
            total.sum += value
        }
    }

    func recordNanoseconds(_ duration: Int64) { self.record(Double(duration) / 1e9) }
}
