/// One WebTransport session, from CONNECT to the end of its CONNECT stream (draft-ietf-webtrans-http3 § 3.2, § 6).
///
///     connecting ── accepted ──> established ── CLOSE sent or received, FIN, reset ──> closed
///          └─────── refused, reset ─────────────────────────────────────────────────────┘
package struct SessionStateMachine: ~Copyable {
    private enum State: ~Copyable {
        /// The request was sent or received, and not answered yet.
        case connecting
        case established(isDraining: Bool)
        case closed
    }
    private var state: State

    package init() {
        self.state = .connecting
    }

    private init(_ state: consuming State) {
        self.state = state
    }

    package var isEstablished: Bool {
        switch self.state {
        case .established: true
        case .connecting: false
        case .closed: false
        }
    }

    package var isClosed: Bool {
        switch self.state {
        case .closed: true
        case .connecting: false
        case .established: false
        }
    }

    /// The answer with a 2xx status was sent or received.
    /// - Returns: whether the session now begins; it does not when it ended meanwhile.
    package mutating func accepted() -> Bool {
        switch consume self.state {
        case .connecting:
            self = .init(.established(isDraining: false))
            return true
        case .established(let isDraining):
            self = .init(.established(isDraining: isDraining))
            return false
        case .closed:
            self = .init(.closed)
            return false
        }
    }

    /// The peer asks to finish soon (WT_DRAIN_SESSION, or GOAWAY on the connection).
    /// - Returns: whether this is news.
    package mutating func drainReceived() -> Bool {
        switch consume self.state {
        case .established(let isDraining):
            self = .init(.established(isDraining: true))
            return !isDraining
        case .connecting:
            self = .init(.connecting)
            return false
        case .closed:
            self = .init(.closed)
            return false
        }
    }

    /// What to do when the peer's side of the session ends.
    package enum PeerClosed: Hashable {
        /// End the session, and answer with FIN if this side was still open.
        case finish
        /// Bytes after WT_CLOSE_SESSION, or a second one: H3_MESSAGE_ERROR.
        case ignore
    }

    /// The peer ended the session: WT_CLOSE_SESSION, FIN, or a reset of the CONNECT stream.
    package mutating func peerClosed() -> PeerClosed {
        switch consume self.state {
        case .connecting:
            self = .init(.closed)
            return .finish
        case .established:
            self = .init(.closed)
            return .finish
        case .closed:
            self = .init(.closed)
            return .ignore
        }
    }

    /// What to do when the application closes the session.
    package enum Closed: Hashable {
        /// Send WT_CLOSE_SESSION and FIN.
        case sendClose
        /// It was not answered yet: give up the request.
        case abandonRequest
        case ignore
    }

    package mutating func closed() -> Closed {
        switch consume self.state {
        case .connecting:
            self = .init(.closed)
            return .abandonRequest
        case .established:
            self = .init(.closed)
            return .sendClose
        case .closed:
            self = .init(.closed)
            return .ignore
        }
    }
}
