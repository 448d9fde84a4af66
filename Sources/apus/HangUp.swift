import Synchronization

/// Lets a signal close a session that another task has opened.
final class HangUp: Sendable {
    private enum State {
        case connecting
        case connected(@Sendable () -> Void)
        case requested
    }

    private let state = Mutex(State.connecting)

    /// There is a session.
    /// - Parameter close: closes it. It may be called on any thread, once.
    func connected(_ close: @escaping @Sendable () -> Void) {
        self.state.withLock { $0 = .connected(close) }
    }

    /// Closes the session.
    /// - Returns: whether there was one, and it is the first request.
    func request() -> Bool {
        let close: (@Sendable () -> Void)? = self.state.withLock { state in
            defer { state = .requested }
            if case .connected(let close) = state { return close }
            return nil
        }
        close?()
        return close != nil
    }
}
