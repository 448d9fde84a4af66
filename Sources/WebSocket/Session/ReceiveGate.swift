import NIOConcurrencyHelpers
import NIOCore

/// Stops a connection's reads while the application is behind, by the bytes that wait for it.
///
/// The loop adds what it delivers; the task that consumes subtracts. Whichever finds that the level has fallen below
/// the low watermark resumes the reads, exactly once.
final class ReceiveGate: Sendable {
    /// With messages of the usual kinds it is reached by a consumer that is many turns of the loop behind. One message
    /// may be larger; then it waits alone.
    static let highWatermark = 256 << 10
    static let lowWatermark = 64 << 10
    /// What a message costs beside its payload, so that empty ones count too.
    static let overhead = 64

    private struct State {
        var level = 0
        var isPaused = false
        /// The loop waits for the consumer to take everything.
        var isAwaitingEmpty = false
    }

    private let state = NIOLockedValueBox(State())

    static func cost(of message: WebSocketMessage) -> Int { message.byteCount + Self.overhead }

    /// True while reads must wait.
    var isPaused: Bool { self.state.withLockedValue { $0.isPaused } }

    /// The loop has queued a message.
    func add(_ cost: Int) {
        self.state.withLockedValue { state in
            state.level += cost
            if state.level >= Self.highWatermark { state.isPaused = true }
        }
    }

    /// True when the consumer has taken everything; otherwise the `remove` that takes the last tells.
    func awaitEmpty() -> Bool {
        self.state.withLockedValue { state in
            state.isAwaitingEmpty = state.level > 0
            return !state.isAwaitingEmpty
        }
    }

    /// The consumer has taken a message. True when the caller must tell the connection that it has caught up.
    func remove(_ cost: Int) -> Bool {
        self.state.withLockedValue { state in
            state.level -= cost
            if state.isAwaitingEmpty && state.level <= 0 {
                state.isAwaitingEmpty = false
                state.isPaused = false
                return true
            }
            guard state.isPaused, state.level <= Self.lowWatermark else { return false }
            state.isPaused = false
            return true
        }
    }

    /// Reads go on whatever is queued: nobody consumes any more, and what arrives is dropped. True when they were
    /// paused.
    func open() -> Bool {
        self.state.withLockedValue { state in
            state.level = .min / 2
            defer { state.isPaused = false }
            return state.isPaused
        }
    }
}
