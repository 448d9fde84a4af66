/// The rules of devious baton (draft-frindell-webtrans-devious-baton): what to do with a baton that has arrived, and
/// which may arrive next. It has no session and no clock.
struct BatonGame {
    /// Why an endpoint ends the session (§ 5).
    enum SessionCode: UInt32 {
        /// The peer does not allow the streams that the game needs.
        case daYamn = 1
        /// A message was malformed.
        case bruh = 2
        /// A message was not expected.
        case sus = 3
        /// The next message took too long.
        case bored = 4
    }

    /// Why an endpoint gives up a stream (§ 5).
    enum StreamCode: UInt32 {
        /// It does not care about it.
        case idc = 1
        /// The peer asked for it.
        case whatever = 2
        /// It feels like it.
        case iLied = 3
    }

    /// Where a message arrives.
    enum Arrival: Hashable {
        case unidirectional
        case bidirectionalOfPeer
        case bidirectionalOfOwn
    }

    /// Where the answer goes.
    enum Way: Hashable {
        case newUnidirectional
        case newBidirectional
        case sameStream
    }

    struct Pass: Hashable {
        var value: UInt8
        var way: Way
    }

    /// What follows of a message.
    struct Turn: Hashable {
        var pass: Pass?
        /// Whether the message is to be sent back in a datagram, too (§ 4.4).
        var isOwedDatagram = false
        /// No baton is left, and this end has seen the last one: it closes the session.
        var isLast = false
    }

    struct Violation: Error, Equatable {
        var code: SessionCode
    }

    private struct Expected: Hashable {
        /// Nil when the peer may choose.
        var value: UInt8?
        var arrival: Arrival
    }

    private let isServer: Bool
    private var expected: [Expected]
    private var batonsLeft: Int

    /// The server's part, which begins.
    /// - Returns: the game, and what to send first.
    static func serving(baton: UInt8, count: Int) -> (game: BatonGame, passes: [Pass]) {
        let pass = Pass(value: baton, way: .newUnidirectional)
        var game = BatonGame(isServer: true, expected: [], batonsLeft: count)
        for _ in 0..<count { game.sent(pass) }
        return (game, Array(repeating: pass, count: count))
    }

    /// The client's part.
    /// - Parameter baton: the value that the server was asked to begin with, if any.
    static func playing(baton: UInt8?, count: Int) -> BatonGame {
        let first = Expected(value: baton, arrival: .unidirectional)
        return BatonGame(isServer: false, expected: Array(repeating: first, count: count), batonsLeft: count)
    }

    private init(isServer: Bool, expected: [Expected], batonsLeft: Int) {
        self.isServer = isServer
        self.expected = expected
        self.batonsLeft = batonsLeft
    }

    mutating func received(_ value: UInt8, on arrival: Arrival) throws(Violation) -> Turn {
        let index = self.expected.firstIndex {
            $0.arrival == arrival && ($0.value == value || $0.value == nil && value != 0)
        }
        guard let index else { throw Violation(code: .sus) }
        self.expected.remove(at: index)
        var turn = Turn()
        turn.isOwedDatagram = value % 7 == (self.isServer ? 0 : 1)
        if value == 0 {
            self.batonsLeft -= 1
            turn.isLast = self.batonsLeft == 0
        } else {
            let way: Way =
                switch arrival {
                case .unidirectional: .newBidirectional
                case .bidirectionalOfPeer: .sameStream
                case .bidirectionalOfOwn: .newUnidirectional
                }
            let pass = Pass(value: value &+ 1, way: way)
            turn.pass = pass
            self.sent(pass)
        }
        return turn
    }

    /// A datagram repeats a baton whose value suits the peer's part; which one is not said.
    func receivedDatagram(_ value: UInt8) throws(Violation) {
        guard value % 7 == (self.isServer ? 1 : 0) else { throw Violation(code: .sus) }
    }

    /// The peer gave up a stream, and the baton on it is out of the game, which may end with it (§ 4.5).
    mutating func lost(on arrival: Arrival) {
        guard let index = self.expected.firstIndex(where: { $0.arrival == arrival }) else { return }
        self.expected.remove(at: index)
        self.batonsLeft -= 1
    }

    private mutating func sent(_ pass: Pass) {
        guard pass.value != 0 else {
            self.batonsLeft -= 1
            return
        }
        self.expected.append(Expected(value: pass.value &+ 1, arrival: Self.answer(to: pass.way)))
    }

    /// Where the peer's answer to a message arrives.
    static func answer(to way: Way) -> Arrival {
        switch way {
        case .newUnidirectional: .bidirectionalOfPeer
        case .newBidirectional: .bidirectionalOfOwn
        case .sameStream: .unidirectional
        }
    }

    /// Whether every baton has come home, or is lost.
    var isOver: Bool { self.batonsLeft == 0 }
}
