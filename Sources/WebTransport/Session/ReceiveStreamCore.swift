import LoopConcurrency
import NIOCore
import QUIC
import WebTransportCore

/// The receiving half of one stream, on its connection's loop.
final class ReceiveStreamCore {
    let id: StreamID
    let connection: PeerConnection
    /// The sending half of the same stream, when it is bidirectional.
    weak var counterpart: SendStreamCore?
    /// The application's end of the stream's queue, until it has it: when the application lets go of it, nobody reads
    /// any more, and the stream is given up.
    private var mailbox: Mailbox<Item>?
    private let source: Mailbox<Item>.Source
    /// What the mailbox has no room for: as much as flow control allows. It joins what comes in small pieces, each of
    /// which would cost the mailbox far more than its bytes.
    private var waiting = ByteQueue()
    private var isMailboxFull = false
    private let ledger: CreditLedger
    /// What the stream begins with is no data of the session.
    private let headerSize: Int
    /// Bytes of its body that have arrived or, when it was reset, that the peer has sent.
    private var bodyByteCount: UInt64 = 0
    /// Flow control of the session, when there is one and the stream is known to be the session's.
    private(set) var flow: SessionFlow?
    private var phase = Phase.receiving

    private enum Phase {
        case receiving
        /// The session has ended, and the peer does not know of it yet.
        case orphaned
        case ended
    }

    enum Item: Sendable {
        case data(ByteBuffer)
        case failed(WebTransportError)
    }

    /// How the stream ended, other than by its FIN.
    enum End {
        case reset(UInt32?)
        case gone
    }

    /// - Parameter headerSize: of a stream that the peer opened.
    init(id: StreamID, connection: PeerConnection, headerSize: Int = 0) {
        self.id = id
        self.connection = connection
        self.headerSize = headerSize
        let eventLoop = connection.eventLoop
        self.ledger = CreditLedger(id: id, connection: connection)
        let ledger = NIOLoopBound(self.ledger, eventLoop: eventLoop)
        let mailbox = Mailbox<Item>(
            lowWatermark: 4,
            highWatermark: 16,
            onDemand: { eventLoop.execute { ledger.value.core?.mailboxEmptied() } },
            onTermination: { eventLoop.execute { ledger.value.abandoned() } }
        )
        self.mailbox = mailbox
        self.source = mailbox.source
        self.ledger.core = self
    }

    /// Hands the queue to the application, once.
    func handOut() -> Mailbox<Item> {
        guard let mailbox = self.mailbox.take() else { preconditionFailure("a stream is handed out once") }
        return mailbox
    }

    /// It is a stream of this session, which keeps limits. What has arrived counts.
    func count(in flow: SessionFlow) {
        self.flow = flow
        self.ledger.flow = flow
        guard flow.dataReceived(self.bodyByteCount) else { return }
        flow.dataSettled(self.bodyByteCount - UInt64(self.ledger.undelivered))
    }

    func received(_ bytes: ByteBuffer, isFinal: Bool) {
        self.bodyByteCount += UInt64(bytes.readableBytes)
        if let flow = self.flow {
            let isAllowed = flow.dataReceived(UInt64(bytes.readableBytes))
            if isFinal { flow.streamEnded(self.id) }
            guard isAllowed else { return self.connection.quic.consumed(bytes.readableBytes, of: self.id) }
        }
        guard case .receiving = self.phase else {
            self.connection.quic.consumed(bytes.readableBytes, of: self.id)
            self.flow?.dataSettled(UInt64(bytes.readableBytes))
            if isFinal { self.phase = .ended }
            return
        }
        if bytes.readableBytes > 0 {
            self.ledger.arrived(bytes.readableBytes)
            self.waiting.append(bytes)
            self.deliver()
        }
        if isFinal {
            self.phase = .ended
            self.finish()
        }
    }

    private func deliver() {
        while !self.isMailboxFull, let bytes = self.waiting.next() {
            self.isMailboxFull = self.source.offer(.data(bytes)) == .full
        }
    }

    /// The application has taken most of what the mailbox held.
    fileprivate func mailboxEmptied() {
        self.isMailboxFull = false
        self.deliver()
    }

    /// Nothing more comes: the mailbox gets what waits, however full it is, and the end.
    private func finish(_ failure: WebTransportError? = nil) {
        while let bytes = self.waiting.next() { self.source.offer(.data(bytes)) }
        if let failure { self.source.offer(.failed(failure)) }
        self.source.finish()
    }

    /// The peer has reset the stream. What it has sent counts, though not all of it will arrive
    /// (draft-ietf-webtrans-http3 § 5.4).
    func reset(code: UInt32?, finalSize: UInt64) {
        let body = finalSize - min(finalSize, UInt64(self.headerSize))
        let missing = body - min(body, self.bodyByteCount)
        self.bodyByteCount = body
        if let flow = self.flow {
            flow.streamEnded(self.id)
            if flow.dataReceived(missing) { flow.dataSettled(missing) }
        }
        self.ended(.reset(code))
    }

    func ended(_ end: End) {
        defer { self.phase = .ended }
        guard case .receiving = self.phase else { return }
        switch end {
        case .reset(let code): self.finish(.streamReset(code))
        case .gone: self.finish(.sessionClosed)
        }
    }

    /// The session has ended: the reader learns of it.
    func sessionEnded() {
        if case .receiving = self.phase {
            self.ended(.gone)
            self.phase = .orphaned
        }
        self.connection.taken(self.id)
    }

    /// The peer knows that the session has ended.
    func leaveSession() {
        guard case .orphaned = self.phase else { return }
        self.phase = .ended
        self.connection.quic.expectStrayData()
        self.connection.stopReceiving(self.id, code: WebTransportErrorCode.sessionGone)
    }

    func closed() {
        self.ended(.gone)
    }

    /// This end has no use for the stream, and says so to the peer. What has arrived is thrown away.
    func rejected() {
        if case .receiving = self.phase { self.flow?.streamStopped(self) }
        self.ended(.gone)
        self.mailbox = nil
    }

    /// The application has taken data: the peer may send as much again.
    func consumed(_ count: Int) {
        self.ledger.settle(count)
    }

    /// The application gives up receiving (STOP_SENDING).
    func stop(code: UInt32) {
        self.stop(wireCode: ApplicationErrorCode.wireCode(for: code))
    }

    func stop(wireCode: UInt64) {
        guard case .receiving = self.phase else { return }
        self.phase = .ended
        self.connection.quic.expectStrayData()
        self.connection.stopReceiving(self.id, code: wireCode)
        self.flow?.streamStopped(self)
        self.finish()
        self.connection.markDirty()
    }
}

/// The flow-control credit that is owed to the peer for what was delivered and not taken yet.
///
/// The mailbox holds it until nobody can read from it any more: credit is returned even when the stream itself is
/// forgotten before, else a connection would lose a part of its window for good.
private final class CreditLedger {
    private let id: StreamID
    private let connection: PeerConnection
    weak var core: ReceiveStreamCore?
    var flow: SessionFlow?
    /// In bytes.
    private(set) var undelivered = 0

    init(id: StreamID, connection: PeerConnection) {
        self.id = id
        self.connection = connection
    }

    func arrived(_ count: Int) {
        self.undelivered += count
        self.connection.untakenByteCount += count
    }

    func settle(_ count: Int) {
        self.undelivered -= count
        self.connection.untakenByteCount -= count
        self.connection.quic.consumed(count, of: self.id)
        self.flow?.dataSettled(UInt64(count))
        self.connection.markDirty()
    }

    /// Nobody reads any more, be it that the end was reached: what is left is thrown away, and the peer is told to stop
    /// when it has not finished.
    func abandoned() {
        if self.undelivered > 0 { self.settle(self.undelivered) }
        self.core?.stop(code: 0)
        self.connection.taken(self.id)
    }
}
