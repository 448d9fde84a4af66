import DequeModule
import HTTP3
import NIOCore
import QUIC
import WebTransportCore

/// Flow control of one session at work: its limits, who waits for them, and its capsules.
///
/// There is none unless both ends have declared that they keep limits. Streams hold on to it when the session has
/// ended; it has no effect then.
final class SessionFlow {
    private var control: SessionFlowControl
    private let sessionID: Int64
    private let connection: PeerConnection
    /// Nil when it has ended.
    private weak var session: SessionCore?
    /// Streams with data that waits for credit. They are served in turn.
    private var starved: Deque<SendStreamCore> = []
    private var openings = StreamOpenings()
    /// Streams that this end asked the peer to stop, until it is known how much the peer has sent on them.
    private(set) var stopped: [StreamID: ReceiveStreamCore] = [:]
    /// Bytes of the session's streams that the connection holds.
    private var heldByteCount = 0

    /// Bytes that a stream gets of new credit before it is another one's turn: some packets' worth.
    private static let quantum = 16 * 1024
    /// Bytes that may wait on the CONNECT stream when the peer is told of something that it need not know. A peer that
    /// raises limits and reads nothing must not make them pile up.
    private static let maxHeldAdvice = 4096
    /// As many streams as may be on their way to an end at once; what older ones have sent is not made up for until the
    /// peer says that it waits.
    private static let maxStopped = 64

    init(_ limits: Negotiation.FlowControl, of session: SessionCore) {
        self.control = SessionFlowControl(limits)
        self.sessionID = session.id
        self.connection = session.connection
        self.session = session
    }

    // MARK: Sending

    /// - Returns: how many bytes the session may send now.
    func takeData(upTo count: Int) -> Int {
        self.control.takeData(upTo: count)
    }

    /// The stream has data for which there is no credit.
    func wait(_ stream: SendStreamCore) {
        self.starved.append(stream)
        self.advise(self.control.dataBlocked())
    }

    func stopWaiting(_ stream: SendStreamCore) {
        self.starved.removeAll { $0 === stream }
    }

    /// A stream has ended, and not all that credit was taken for was sent.
    func giveBackData(_ count: UInt64) {
        guard count > 0 else { return }
        self.control.giveBackData(count)
        self.serveStarved()
    }

    private func serveStarved() {
        while self.control.hasDataCredit, let stream = self.starved.popFirst() {
            if stream.sendWaiting(upTo: Self.quantum) { self.starved.append(stream) }
        }
        if !self.starved.isEmpty { self.advise(self.control.dataBlocked()) }
    }

    /// The connection holds more of the session's streams, or less.
    func heldByteCountChanged(by difference: Int) {
        self.heldByteCount += difference
    }

    /// Whether the session's streams may go on although those of others fill the connection.
    var hasShareLeft: Bool { self.heldByteCount < self.connection.heldShareOfSession }

    // MARK: Opening streams

    func mayOpenStream(_ direction: StreamDirection) -> Bool { self.control.mayOpenStream(.init(direction)) }

    func streamOpened(_ direction: StreamDirection) { self.control.streamOpened(.init(direction)) }

    func wait(_ opening: StreamOpening) {
        self.openings.append(opening)
        self.advise(self.control.streamsBlocked(.init(opening.direction)))
    }

    func cancelOpening(_ ticket: WaitTicket) -> StreamOpening? {
        self.openings.remove { $0.ticket === ticket }.first
    }

    // MARK: Receiving

    /// Bytes of a stream's body have arrived, or are known to have been sent.
    /// - Returns: false when they were too many, and the session has ended for that.
    func dataReceived(_ count: UInt64) -> Bool {
        guard let session = self.session else { return true }
        do throws(SessionFlowControl.Violation) {
            try self.control.dataReceived(count)
            return true
        } catch {
            session.fail(HTTP3Error(error))
            return false
        }
    }

    /// The application has taken what was received, or nobody will.
    func dataSettled(_ count: UInt64) {
        guard self.session != nil, count > 0 else { return }
        if let message = self.control.dataSettled(count) { self.send(message) }
    }

    /// - Returns: false when it was one too many, and the session has ended for that.
    func streamArrived(_ direction: StreamDirection) -> Bool {
        guard let session = self.session else { return true }
        do throws(SessionFlowControl.Violation) {
            try self.control.streamArrived(.init(direction))
            return true
        } catch {
            session.fail(HTTP3Error(error))
            return false
        }
    }

    /// A stream of the peer's has closed, and the application is done with it.
    func streamSettled(_ direction: StreamDirection) {
        guard self.session != nil else { return }
        if let message = self.control.streamSettled(.init(direction)) { self.send(message) }
    }

    /// A stream of the peer's has ended before it was known whose it is.
    func streamMayHaveBeenMissed(_ direction: StreamDirection) {
        self.control.streamMayHaveBeenMissed(.init(direction))
    }

    /// There was no room for streams that came before a session, this one or another.
    func arrivalsMayHaveBeenMissed(_ directions: [StreamDirection]) {
        guard !directions.isEmpty else { return }
        self.control.dataMayHaveBeenMissed()
        for direction in directions { self.streamMayHaveBeenMissed(direction) }
    }

    func streamStopped(_ core: ReceiveStreamCore) {
        guard self.session != nil else { return }
        if self.stopped.count >= Self.maxStopped { self.forgetStopped() }
        self.stopped[core.id] = core
    }

    /// Not all of them will end in a way that shows how much was sent: a FIN behind STOP_SENDING is not reported.
    private func forgetStopped() {
        guard !self.stopped.isEmpty else { return }
        self.stopped.removeAll()
        self.control.dataMayHaveBeenMissed()
    }

    /// It is known now how much the peer has sent on the stream.
    func streamEnded(_ id: StreamID) {
        self.stopped[id] = nil
    }

    // MARK: Capsules

    /// - Throws: what ends the session.
    func capsuleReceived(_ message: SessionFlowControl.Message) throws(HTTP3Error) {
        do throws(SessionFlowControl.Violation) {
            if case .dataBlocked = message { self.forgetStopped() }
            if let answer = try self.control.received(message) { self.send(answer) }
        } catch {
            throw HTTP3Error(error)
        }
        switch message {
        case .maxData:
            self.serveStarved()
        case .maxStreams(let kind, _):
            self.serveOpenings(.init(kind))
        case .dataBlocked, .streamsBlocked:
            break
        }
    }

    private func serveOpenings(_ direction: StreamDirection) {
        while self.mayOpenStream(direction), let opening = self.openings.popFirst(direction) {
            self.connection.openStream(opening)
        }
        if self.openings.first(direction) != nil { self.advise(self.control.streamsBlocked(.init(direction))) }
    }

    /// Tells the peer of new credit.
    private func send(_ message: SessionFlowControl.Message) {
        self.connection.http3?.send(Capsule(message).encoded, on: self.sessionID)
        self.connection.markDirty()
    }

    /// Tells the peer that its limit is in the way.
    private func advise(_ message: SessionFlowControl.Message?) {
        guard let message else { return }
        let held = self.connection.quic.unacknowledgedByteCount(of: StreamID(rawValue: self.sessionID))
        if held < Self.maxHeldAdvice { self.send(message) }
    }

    // MARK: The end

    func sessionEnded() {
        self.session = nil
        self.starved.removeAll()
        self.stopped.removeAll()
        for opening in self.openings.remove(where: { _ in true }) {
            opening.promise.fail(WebTransportError.sessionClosed)
        }
    }
}

extension SessionFlowControl.StreamKind {
    fileprivate init(_ direction: StreamDirection) {
        self =
            switch direction {
            case .bidirectional: .bidirectional
            case .unidirectional: .unidirectional
            }
    }
}

extension StreamDirection {
    fileprivate init(_ kind: SessionFlowControl.StreamKind) {
        self =
            switch kind {
            case .bidirectional: .bidirectional
            case .unidirectional: .unidirectional
            }
    }
}

extension HTTP3Error {
    fileprivate init(_ violation: SessionFlowControl.Violation) {
        self.init(HTTP3ErrorCode(rawValue: WebTransportErrorCode.flowControlError), violation.reason)
    }
}
