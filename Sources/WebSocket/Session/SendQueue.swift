import DequeModule
import NIOConcurrencyHelpers
import NIOCore

/// What callers on other threads want to send, and everyone who waits until more can be sent.
///
/// A caller on the loop bypasses the queue, and comes here only to wait. Others append under the lock and wake the loop
/// once per burst.
final class SendQueue: Sendable {
    /// What may wait here for one turn of the loop. Beyond it the callers wait.
    static let highWatermark = 256 << 10

    enum Item: Sendable {
        case message(WebSocketMessage)
        case ping(EventLoopPromise<TimeAmount>)
        case close(WebSocketCloseCode, reason: String)

        /// An empty message costs something, too.
        var cost: Int {
            switch self {
            case .message(let message): message.byteCount + 64
            case .ping, .close: 64
            }
        }
    }

    private struct State {
        var items = Deque<Item>()
        var byteCount = 0
        /// The loop has been told, and has not looked yet.
        var isAnnounced = false
        /// The channel takes more.
        var isWritable = true
        var isClosed = false
        var waiters: [UInt64: CheckedContinuation<Void, any Error>] = [:]
        var nextWaiter: UInt64 = 0

        var hasRoom: Bool { self.isWritable && self.byteCount < SendQueue.highWatermark }

        mutating func takeWaiters() -> [CheckedContinuation<Void, any Error>] {
            defer { self.waiters.removeAll() }
            return Array(self.waiters.values)
        }
    }

    private let state = NIOLockedValueBox(State())

    // MARK: Any thread

    /// Adds an item. True when the caller must wake the loop.
    func append(_ item: Item) throws(WebSocketError) -> Bool {
        let wakes: Bool? = self.state.withLockedValue { state in
            guard !state.isClosed else { return nil }
            state.items.append(item)
            state.byteCount += item.cost
            defer { state.isAnnounced = true }
            return !state.isAnnounced
        }
        guard let wakes else { throw .closed }
        return wakes
    }

    /// Returns when there is room, at once if there is.
    ///
    /// - Throws: `WebSocketError.closed`, or `CancellationError` when the task is cancelled while it waits.
    func waitForRoom() async throws {
        let ticket: UInt64? = self.state.withLockedValue { state in
            guard !state.hasRoom || state.isClosed else { return nil }
            state.nextWaiter += 1
            return state.nextWaiter
        }
        guard let ticket else { return }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let outcome: Result<Void, any Error>? = self.state.withLockedValue { state in
                    if state.isClosed { return .failure(WebSocketError.closed) }
                    if state.hasRoom { return .success(()) }
                    // Under the lock: a cancellation after this line finds the waiter.
                    if Task.isCancelled { return .failure(CancellationError()) }
                    state.waiters[ticket] = continuation
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            let waiter = self.state.withLockedValue { $0.waiters.removeValue(forKey: ticket) }
            waiter?.resume(throwing: CancellationError())
        }
    }

    // MARK: The loop

    /// Takes what has been added, in order.
    func take() -> Deque<Item> {
        let (items, waiters) = self.state.withLockedValue { state in
            let items = state.items
            state.items = []
            state.byteCount = 0
            state.isAnnounced = false
            return (items, state.hasRoom ? state.takeWaiters() : [])
        }
        for waiter in waiters { waiter.resume() }
        return items
    }

    /// Says whether the channel takes more.
    func setWritable(_ isWritable: Bool) {
        let waiters = self.state.withLockedValue { state in
            state.isWritable = isWritable
            return state.hasRoom ? state.takeWaiters() : []
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Ends the sending: all who wait, and all who come, are told that the session is closed.
    ///
    /// - Returns: what nobody will send any more.
    func close() -> Deque<Item> {
        let (items, waiters) = self.state.withLockedValue { state in
            state.isClosed = true
            let items = state.items
            state.items = []
            state.byteCount = 0
            return (items, state.takeWaiters())
        }
        for waiter in waiters { waiter.resume(throwing: WebSocketError.closed) }
        return items
    }
}
