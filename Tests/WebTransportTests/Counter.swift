import NIOConcurrencyHelpers

/// A number that tasks raise together.
final class Counter: Sendable {
    private let box = NIOLockedValueBox(0)

    func increment() {
        self.box.withLockedValue { $0 += 1 }
    }

    var value: Int { self.box.withLockedValue { $0 } }

    /// The number, once it has stood still for as long as 2,000 turns of the scheduler take.
    func settled() async -> Int {
        var last = -1
        var still = 0
        while still < 2_000 {
            await Task.yield()
            let now = self.value
            still = now == last ? still + 1 : 0
            last = now
        }
        return last
    }
}
