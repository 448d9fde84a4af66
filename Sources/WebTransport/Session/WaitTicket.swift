import Synchronization

/// One wait of a task, so that its cancellation finds it, or finds it before it has begun.
///
/// A cancellation handler may run before the operation that it belongs to has reached the loop.
final class WaitTicket: Sendable {
    private let cancelled = Atomic(false)

    var isCancelled: Bool { self.cancelled.load(ordering: .acquiring) }

    func cancel() {
        self.cancelled.store(true, ordering: .releasing)
    }
}
