import DequeModule
import NIOCore
import QUIC
import WebTransportCore

/// The sending half of one stream, on its connection's loop.
final class SendStreamCore {
    let id: StreamID
    let connection: PeerConnection
    /// The receiving half of a bidirectional stream that this end opened. Else the connection's table holds it.
    var counterpart: ReceiveStreamCore?
    private let headerSize: Int
    /// Flow control of the session, when there is one.
    private let flow: SessionFlow?
    /// What waits for credit of the session.
    private var waitingData: Deque<ByteBuffer> = []
    /// Bytes that credit was taken for.
    private var chargedByteCount: UInt64 = 0
    /// Bytes that count as held by the session.
    private var notedByteCount = 0
    private var state = State.open
    /// Whether there is anything behind the header.
    private var hasWritten = false
    /// Whoever waits until the peer has everything.
    private var endPromise: EventLoopPromise<Void>?
    private var waiters: Deque<(ticket: WaitTicket, continuation: CheckedContinuation<Void, any Error>)> = []

    private enum State {
        case open
        case finished
        /// The session has ended, and the peer does not know of it yet.
        case orphaned
        case failed(WebTransportError)
    }

    init(id: StreamID, connection: PeerConnection, headerSize: Int, flow: SessionFlow?) {
        self.id = id
        self.connection = connection
        self.headerSize = headerSize
        self.flow = flow
    }

    /// Queues data.
    /// - Returns: whether the writer may go on at once.
    func write(_ bytes: ByteBuffer) throws(WebTransportError) -> Bool {
        try self.checkOpen()
        if bytes.readableBytes > 0 { self.hasWritten = true }
        if let flow = self.flow {
            self.write(bytes, within: flow)
        } else {
            self.connection.quic.write(bytes, to: self.id)
        }
        self.connection.markDirty()
        return self.hasRoom(below: PeerConnection.highWatermark)
    }

    /// Sends what the session has credit for; the rest waits.
    private func write(_ bytes: ByteBuffer, within flow: SessionFlow) {
        var bytes = bytes
        let isFirst = self.waitingData.isEmpty
        if isFirst { self.send(from: &bytes, upTo: bytes.readableBytes, within: flow) }
        guard bytes.readableBytes > 0 else { return }
        self.waitingData.append(bytes)
        if isFirst { flow.wait(self) }
    }

    private func send(from bytes: inout ByteBuffer, upTo limit: Int, within flow: SessionFlow) {
        let count = flow.takeData(upTo: min(limit, bytes.readableBytes))
        guard count > 0, let part = bytes.readSlice(length: count) else { return }
        self.chargedByteCount += UInt64(count)
        self.connection.quic.write(part, to: self.id)
        self.noteHeld()
    }

    /// The session has credit again.
    /// - Returns: whether still more waits.
    func sendWaiting(upTo limit: Int) -> Bool {
        guard let flow = self.flow, var first = self.waitingData.popFirst() else { return false }
        self.send(from: &first, upTo: limit, within: flow)
        if first.readableBytes > 0 { self.waitingData.prepend(first) }
        self.connection.markDirty()
        guard self.waitingData.isEmpty else { return true }
        if case .finished = self.state { self.sendEnd() }
        // From here on the stream's own acknowledgements wake the writers.
        if !self.waiters.isEmpty { self.connection.addWaitingWriter(self) }
        self.acknowledged(heldByteCount: self.connection.quic.unacknowledgedByteCount(of: self.id))
        return false
    }

    private func discardWaiting() {
        guard !self.waitingData.isEmpty else { return }
        self.waitingData.removeAll()
        self.flow?.stopWaiting(self)
    }

    /// Keeps the session's share of what the connection holds.
    private func noteHeld() {
        guard let flow = self.flow else { return }
        let held = self.connection.quic.unacknowledgedByteCount(of: self.id)
        flow.heldByteCountChanged(by: held - self.notedByteCount)
        self.notedByteCount = held
    }

    /// A writer whose stream the peer has stopped waits for its close, which tells it: else it could go on for ever, on
    /// the very loop that would have to tell it.
    private func hasRoom(below watermark: Int) -> Bool {
        self.connection.quic.unacknowledgedByteCount(of: self.id) <= watermark && self.waitingData.isEmpty
            && (self.connection.hasRoomForStreams || self.flow?.hasShareLeft == true)
            && !self.connection.quic.isStopped(self.id)
    }

    /// Resumes the writer when enough has been acknowledged.
    func wait(_ continuation: CheckedContinuation<Void, any Error>, ticket: WaitTicket) {
        guard !ticket.isCancelled else {
            continuation.resume(throwing: CancellationError())
            return
        }
        switch self.state {
        case .open, .finished:
            // Credit of the session wakes it first, if that is what it waits for.
            if self.waiters.isEmpty, self.waitingData.isEmpty { self.connection.addWaitingWriter(self) }
            self.waiters.append((ticket, continuation))
        case .orphaned:
            continuation.resume(throwing: WebTransportError.sessionClosed)
        case .failed(let error):
            continuation.resume(throwing: error)
        }
    }

    /// A waiting writer was cancelled. What it wrote is sent all the same.
    func cancelWait(_ ticket: WaitTicket) {
        guard let index = self.waiters.firstIndex(where: { $0.ticket === ticket }) else { return }
        self.waiters.remove(at: index).continuation.resume(throwing: CancellationError())
    }

    func finish() {
        guard case .open = self.state else { return }
        self.state = .finished
        if self.waitingData.isEmpty { self.sendEnd() }
    }

    /// Fulfilled when a stream that was finished has closed; of a bidirectional one the peer's half, too.
    func ended() -> EventLoopFuture<Void> {
        if case .failed(let error) = self.state { return self.connection.eventLoop.makeFailedFuture(error) }
        let promise = self.endPromise ?? self.connection.eventLoop.makePromise()
        self.endPromise = promise
        return promise.futureResult
    }

    private func sendEnd() {
        // Firefox 153 loses the connection when a unidirectional stream has nothing but its header and ends with it.
        let isEmpty = self.id.direction == .unidirectional && !self.hasWritten
        self.connection.quic.write(
            ByteBuffer(),
            to: self.id,
            finish: true,
            endingAfterPrefix: isEmpty ? self.headerSize : 0
        )
        self.connection.markDirty()
    }

    /// Gives up sending (RESET_STREAM), once the peer knows whose stream it is.
    func reset(code: UInt32) {
        self.reset(wireCode: ApplicationErrorCode.wireCode(for: code))
    }

    func reset(wireCode: UInt64) {
        switch self.state {
        case .open, .finished: self.state = .failed(.streamFinished)
        case .orphaned, .failed: return
        }
        self.discardWaiting()
        self.connection.quic.reset(self.id, code: wireCode, afterPrefix: self.headerSize)
        self.noteHeld()
        self.resumeWaiters(throwing: WebTransportError.streamFinished)
        self.connection.roomReturned()
        self.connection.markDirty()
    }

    /// The session has ended: the writers learn of it. What they have written may still arrive.
    func sessionEnded() {
        switch self.state {
        case .open, .finished: self.state = .orphaned
        case .orphaned, .failed: return
        }
        self.discardWaiting()
        self.resumeWaiters(throwing: WebTransportError.sessionClosed)
    }

    /// The peer knows that the session has ended.
    func leaveSession() {
        guard case .orphaned = self.state else { return }
        self.state = .failed(.sessionClosed)
        self.connection.quic.reset(self.id, code: WebTransportErrorCode.sessionGone, afterPrefix: self.headerSize)
        self.connection.roomReturned()
    }

    func acknowledged(heldByteCount: Int) {
        self.noteHeld()
        guard heldByteCount <= PeerConnection.lowWatermark, self.hasRoom(below: PeerConnection.lowWatermark) else {
            return
        }
        self.resumeWaiters()
    }

    /// The connection as a whole has room again.
    func roomReturned() {
        self.acknowledged(heldByteCount: self.connection.quic.unacknowledgedByteCount(of: self.id))
        if !self.waiters.isEmpty, self.waitingData.isEmpty { self.connection.addWaitingWriter(self) }
    }

    func stopped(code: UInt32?) {
        self.failed(.streamStopped(code))
    }

    func failed(_ error: WebTransportError) {
        self.state = .failed(error)
        self.endPromise.take()?.fail(error)
        self.discardWaiting()
        self.resumeWaiters(throwing: error)
    }

    /// All was sent and acknowledged, or the stream was reset.
    /// - Parameter sentByteCount: the final size of what was sent.
    func closed(sentByteCount: UInt64 = 0) {
        self.discardWaiting()
        self.noteHeld()
        self.flow?.giveBackData(self.chargedByteCount - (sentByteCount - min(sentByteCount, UInt64(self.headerSize))))
        self.chargedByteCount = 0
        let endPromise = self.endPromise.take()
        switch self.state {
        case .open: self.state = .failed(.streamStopped(nil))
        case .finished:
            self.state = .failed(.streamFinished)
            endPromise?.succeed()
        case .orphaned: self.state = .failed(.sessionClosed)
        case .failed: break
        }
        if case .failed(let error) = self.state { endPromise?.fail(error) }
        self.resumeWaiters(throwing: WebTransportError.streamFinished)
        self.counterpart?.closed()
    }

    private func resumeWaiters(throwing error: (any Error)? = nil) {
        let waiters = self.waiters
        self.waiters.removeAll()
        for waiter in waiters {
            if let error {
                waiter.continuation.resume(throwing: error)
            } else {
                waiter.continuation.resume()
            }
        }
    }

    private func checkOpen() throws(WebTransportError) {
        switch self.state {
        case .open: return
        case .finished: throw .streamFinished
        case .orphaned: throw .sessionClosed
        case .failed(let error): throw error
        }
    }
}
