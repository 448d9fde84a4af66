/// Something that happens once, and the tasks that wait for it. It belongs to its session's loop.
///
/// Unlike a future it can be waited for in vain any number of times: whoever is cancelled leaves nothing behind.
final class Occurrence<Value: Sendable> {
    private var value: Value?
    private var waiters: [(ticket: WaitTicket, continuation: CheckedContinuation<Value, any Error>)] = []

    var waiterCount: Int { self.waiters.count }

    /// Only the first time counts.
    func happened(_ value: Value) {
        guard self.value == nil else { return }
        self.value = value
        let waiters = self.waiters
        self.waiters.removeAll()
        for waiter in waiters { waiter.continuation.resume(returning: value) }
    }

    func wait(_ continuation: CheckedContinuation<Value, any Error>, ticket: WaitTicket) {
        if ticket.isCancelled {
            continuation.resume(throwing: CancellationError())
        } else if let value = self.value {
            continuation.resume(returning: value)
        } else {
            self.waiters.append((ticket, continuation))
        }
    }

    func cancelWait(_ ticket: WaitTicket) {
        guard let index = self.waiters.firstIndex(where: { $0.ticket === ticket }) else { return }
        self.waiters.remove(at: index).continuation.resume(throwing: CancellationError())
    }
}
