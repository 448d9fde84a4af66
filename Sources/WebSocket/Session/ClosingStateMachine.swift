import NIOCore

/// The closing handshake (RFC 6455 § 7.1) of one end.
///
/// ```
///            localClose            peerClosed
///    open ───────────────▶ sent ───────────────▶ done
///     │ │                                         ▲
///     │ └──────── peerClosed (we answer) ─────────┘
///     └──────── peerBrokeRule ───▶ failed
/// ```
struct ClosingStateMachine: ~Copyable {
    private enum State: ~Copyable {
        case open
        /// Our Close frame is out; the peer's has not come.
        case sent
        /// We have told the peer which rule it broke, and listen no more.
        case failed(WebSocketClose)
        /// Both Close frames have been exchanged.
        case done(WebSocketClose)
    }

    private var state: State

    init() { self.state = .open }
    private init(_ state: consuming State) { self.state = state }

    /// Whether messages may still be sent and delivered.
    var isOpen: Bool {
        switch self.state {
        case .open: true
        case .sent: false
        case .failed: false
        case .done: false
        }
    }

    enum LocalClose: Hashable { case sendClose, nothing }

    /// This side wants to close.
    mutating func localClose() -> LocalClose {
        switch consume self.state {
        case .open:
            self = .init(.sent)
            return .sendClose
        case .sent:
            self = .init(.sent)
            return .nothing
        case .failed(let result):
            self = .init(.failed(result))
            return .nothing
        case .done(let result):
            self = .init(.done(result))
            return .nothing
        }
    }

    enum PeerClosed: Hashable { case answer, endConnection, nothing }

    /// The peer's Close frame has arrived.
    mutating func peerClosed(_ code: WebSocketCloseCode, reason: String) -> PeerClosed {
        switch consume self.state {
        case .open:
            self = .init(.done(WebSocketClose(code: code, reason: reason, wasClean: true)))
            return .answer
        case .sent:
            self = .init(.done(WebSocketClose(code: code, reason: reason, wasClean: true)))
            return .endConnection
        case .failed(let result):
            self = .init(.failed(result))
            return .nothing
        case .done(let result):
            self = .init(.done(result))
            return .nothing
        }
    }

    enum PeerBrokeRule: Hashable { case sendClose, endConnection, nothing }

    /// The peer has broken a rule (RFC 6455 § 7.1.7).
    mutating func peerBrokeRule(_ violation: WebSocketViolation) -> PeerBrokeRule {
        let result = WebSocketClose(code: violation.code, reason: violation.reason, wasClean: false)
        switch consume self.state {
        case .open:
            self = .init(.failed(result))
            return .sendClose
        case .sent:
            self = .init(.failed(result))
            return .endConnection
        case .failed(let result):
            self = .init(.failed(result))
            return .nothing
        case .done(let result):
            self = .init(.done(result))
            return .nothing
        }
    }

    /// How the session ended, when its connection is gone.
    func connectionLost() -> WebSocketClose {
        switch self.state {
        case .open: WebSocketClose(code: .abnormal, wasClean: false)
        case .sent: WebSocketClose(code: .abnormal, wasClean: false)
        case .failed(let result): result
        case .done(let result): result
        }
    }
}
