import NIOConcurrencyHelpers

/// How many sessions a server has, over all its loops, and whether it takes more.
final class SessionRegister: Sendable {
    private struct State {
        var count = 0
        var phase = Phase.open
    }

    private enum Phase {
        case open
        /// The server shuts down: no session begins any more, and the last one to end says so.
        case draining(whenEmpty: @Sendable () -> Void)
        case drained
    }

    /// What became of a request for a place.
    enum Reservation {
        /// It must be released when the session has ended, or never begins.
        case reserved
        case full
        case draining
    }

    let limit: Int
    private let state = NIOLockedValueBox(State())

    init(limit: Int) {
        self.limit = limit
    }

    func reserve() -> Reservation {
        self.state.withLockedValue { state in
            switch state.phase {
            case .draining, .drained: return .draining
            case .open where state.count >= self.limit: return .full
            case .open:
                state.count += 1
                return .reserved
            }
        }
    }

    func release() {
        let whenEmpty = self.state.withLockedValue { state in
            state.count -= 1
            return Self.takeNotice(&state)
        }
        whenEmpty?()
    }

    /// Stops reservations.
    /// - Parameter whenEmpty: called once, when no session is left, on the thread that ended the last one.
    /// - Returns: false when they had been stopped before; nothing changes then, and `whenEmpty` is not called.
    @discardableResult
    func beginDraining(whenEmpty: @escaping @Sendable () -> Void) -> Bool {
        let (hasBegun, notice) = self.state.withLockedValue { state -> (Bool, (@Sendable () -> Void)?) in
            guard case .open = state.phase else { return (false, nil) }
            state.phase = .draining(whenEmpty: whenEmpty)
            return (true, Self.takeNotice(&state))
        }
        notice?()
        return hasBegun
    }

    private static func takeNotice(_ state: inout State) -> (@Sendable () -> Void)? {
        guard state.count == 0, case .draining(let whenEmpty) = state.phase else { return nil }
        state.phase = .drained
        return whenEmpty
    }
}
