import DequeModule
import NIOCore

/// Datagrams of a session that wait for the application. Bounded: the oldest is dropped when it is full.
///
/// It belongs to the session's loop.
final class DatagramInbox {
    private var queue: Deque<ByteBuffer> = []
    private var waiter: (ticket: WaitTicket, continuation: CheckedContinuation<ByteBuffer?, Never>)?
    private var isFinished = false
    private(set) var droppedCount = 0

    /// Datagrams that may wait: about 0.3 s of 1,000 a second, beyond which the newest matters more.
    private static let capacity = 256

    /// - Returns: whether an older one had to go.
    @discardableResult
    func offer(_ datagram: ByteBuffer) -> Bool {
        guard !self.isFinished else { return false }
        if let waiter = self.waiter.take() {
            waiter.continuation.resume(returning: datagram)
            return false
        }
        let isFull = self.queue.count == Self.capacity
        if isFull {
            self.queue.removeFirst()
            self.droppedCount += 1
        }
        self.queue.append(datagram)
        return isFull
    }

    func finish() {
        self.isFinished = true
        self.waiter.take()?.continuation.resume(returning: nil)
    }

    /// The next datagram without waiting: `some(nil)` at the end.
    func poll() -> ByteBuffer?? {
        if let first = self.queue.popFirst() { return .some(first) }
        return self.isFinished ? .some(nil) : nil
    }

    /// - Precondition: nobody waits yet; one task iterates.
    func wait(_ continuation: CheckedContinuation<ByteBuffer?, Never>, ticket: WaitTicket) {
        guard !ticket.isCancelled else {
            continuation.resume(returning: nil)
            return
        }
        if let ready = self.poll() {
            continuation.resume(returning: ready)
            return
        }
        precondition(self.waiter == nil, "datagrams are iterated by one task")
        self.waiter = (ticket, continuation)
    }

    /// The waiting task was cancelled.
    func cancelWait(_ ticket: WaitTicket) {
        guard self.waiter?.ticket === ticket else { return }
        self.waiter.take()?.continuation.resume(returning: nil)
    }
}
