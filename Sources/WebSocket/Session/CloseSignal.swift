import NIOConcurrencyHelpers

/// How a session ended, for any number of tasks that wait for it.
final class CloseSignal: Sendable {
    private struct State {
        var result: WebSocketClose?
        var waiters: [UInt64: CheckedContinuation<WebSocketClose, Never>] = [:]
        var nextWaiter: UInt64 = 0
    }

    private let state = NIOLockedValueBox(State())

    /// What a waiter is told when it is cancelled before the session has ended.
    private static let notYet = WebSocketClose(code: .abnormal, wasClean: false)

    /// Tells everyone. Only the first call counts.
    func signal(_ result: WebSocketClose) {
        let waiters = self.state.withLockedValue { state in
            if state.result == nil { state.result = result }
            defer { state.waiters.removeAll() }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume(returning: result) }
    }

    /// Returns when the session has ended, or with 1006 when the task is cancelled before.
    func wait() async -> WebSocketClose {
        let ticket = self.state.withLockedValue { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let result: WebSocketClose? = self.state.withLockedValue { state in
                    if let result = state.result { return result }
                    // Under the lock: a cancellation after this line finds the waiter.
                    if Task.isCancelled { return Self.notYet }
                    state.waiters[ticket] = continuation
                    return nil
                }
                if let result { continuation.resume(returning: result) }
            }
        } onCancel: {
            let waiter = self.state.withLockedValue { $0.waiters.removeValue(forKey: ticket) }
            waiter?.resume(returning: Self.notYet)
        }
    }
}
