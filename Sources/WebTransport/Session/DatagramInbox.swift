import DequeModule
import NIOCore

/// Datagrams of a session that wait for the application. Bounded: the oldest is dropped when it is full.
///
/// It belongs to the session's loop.
final class DatagramInbox {
    private var queue: Deque<ByteBuffer> = []
    /// Tasks that wait for one, each of which gets another.
    private var waiters: Deque<(ticket: WaitTicket, continuation: CheckedContinuation<ByteBuffer?, Never>)> = []
    private var isFinished = false
    private(set) var droppedCount = 0
    /// Of those that wait.
    private(set) var byteCount = 0

    /// Datagrams that may wait: about 0.3 s of 1,000 a second, beyond which the newest matters more.
    private static let capacity = 256

    /// - Returns: whether an older one had to go.
    @discardableResult
    func offer(_ datagram: ByteBuffer) -> Bool {
        guard !self.isFinished else { return false }
        while let waiter = self.waiters.popFirst() {
            guard !waiter.ticket.isCancelled else {
                waiter.continuation.resume(returning: nil)
                continue
            }
            waiter.continuation.resume(returning: datagram)
            return false
        }
        let isFull = self.queue.count == Self.capacity
        if isFull {
            self.byteCount -= self.queue.removeFirst().readableBytes
            self.droppedCount += 1
        }
        self.queue.append(datagram)
        self.byteCount += datagram.readableBytes
        return isFull
    }

    func finish() {
        self.isFinished = true
        while let waiter = self.waiters.popFirst() { waiter.continuation.resume(returning: nil) }
    }

    /// The next datagram without waiting: `some(nil)` at the end.
    func poll() -> ByteBuffer?? {
        if let first = self.queue.popFirst() {
            self.byteCount -= first.readableBytes
            return .some(first)
        }
        return self.isFinished ? .some(nil) : nil
    }

    /// Resumes a continuation with the next datagram, or nil at the end.
    func wait(_ continuation: CheckedContinuation<ByteBuffer?, Never>, ticket: WaitTicket) {
        guard !ticket.isCancelled else {
            continuation.resume(returning: nil)
            return
        }
        if let ready = self.poll() {
            continuation.resume(returning: ready)
            return
        }
        self.waiters.append((ticket, continuation))
    }

    /// A waiting task was cancelled.
    func cancelWait(_ ticket: WaitTicket) {
        guard let index = self.waiters.firstIndex(where: { $0.ticket === ticket }) else { return }
        self.waiters.remove(at: index).continuation.resume(returning: nil)
    }
}
