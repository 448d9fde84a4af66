import Synchronization

/// The certificate that new connections get, and those before it that clients may still expect.
///
/// A page that fetched the old certificate's hash a moment before a rotation connects a moment after it; therefore both
/// hashes are offered while both certificates are valid. Connections keep the identity they began with.
public final class IdentityStore: Sendable {
    /// Ten rotations within one certificate's lifetime are more than any schedule makes; the oldest is forgotten first.
    private static let maximumReplaced = 10

    private struct State {
        var current: ServerIdentity
        var replaced: [ServerIdentity] = []
    }

    private let state: Mutex<State>

    /// Begins with one identity, which all connections get until it is replaced.
    public init(_ identity: ServerIdentity) {
        self.state = Mutex(State(current: identity))
    }

    /// What a new connection shows.
    public var current: ServerIdentity {
        self.state.withLock { $0.current }
    }

    /// Gives new connections another identity. Replacing one by the same certificate changes nothing that is offered.
    public func replace(with identity: ServerIdentity) {
        self.state.withLock { state in
            if state.current.fingerprint != identity.fingerprint { state.replaced.insert(state.current, at: 0) }
            state.replaced.removeAll { $0.fingerprint == identity.fingerprint }
            if state.replaced.count > Self.maximumReplaced { state.replaced.removeLast() }
            state.current = identity
        }
    }

    /// The identities to offer to clients, the current one first, then those it replaced that are still valid.
    ///
    /// - Parameter now: seconds since the epoch; nil is the system's clock.
    public func offered(at now: Int64? = nil) -> [ServerIdentity] {
        let now = now ?? UnixTime.now
        return self.state.withLock { state in
            state.replaced.removeAll { $0.notValidAfter < now }
            return [state.current] + state.replaced
        }
    }
}
