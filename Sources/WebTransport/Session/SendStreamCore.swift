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
    private var state = State.open
    /// Whether there is anything behind the header.
    private var hasWritten = false
    private var waiters: Deque<(ticket: WaitTicket, continuation: CheckedContinuation<Void, any Error>)> = []

    private enum State {
        case open
        case finished
        /// The session has ended, and the peer does not know of it yet.
        case orphaned
        case failed(WebTransportError)
    }

    init(id: StreamID, connection: PeerConnection, headerSize: Int) {
        self.id = id
        self.connection = connection
        self.headerSize = headerSize
    }

    /// Queues data.
    /// - Returns: whether the writer may go on at once.
    func write(_ bytes: ByteBuffer) throws(WebTransportError) -> Bool {
        try self.checkOpen()
        if bytes.readableBytes > 0 { self.hasWritten = true }
        self.connection.quic.write(bytes, to: self.id)
        self.connection.markDirty()
        return self.hasRoom(below: PeerConnection.highWatermark)
    }

    /// A writer whose stream the peer has stopped waits for its close, which tells it: else it could go on for ever, on the
    /// very loop that would have to tell it.
    private func hasRoom(below watermark: Int) -> Bool {
        self.connection.quic.unacknowledgedByteCount(of: self.id) <= watermark && self.connection.hasRoomForStreams
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
            if self.waiters.isEmpty { self.connection.addWaitingWriter(self) }
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
        self.connection.quic.reset(self.id, code: wireCode, afterPrefix: self.headerSize)
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
        guard heldByteCount <= PeerConnection.lowWatermark, self.hasRoom(below: PeerConnection.lowWatermark) else {
            return
        }
        self.resumeWaiters()
    }

    /// The connection as a whole has room again.
    func roomReturned() {
        self.acknowledged(heldByteCount: self.connection.quic.unacknowledgedByteCount(of: self.id))
        if !self.waiters.isEmpty { self.connection.addWaitingWriter(self) }
    }

    func stopped(code: UInt32?) {
        self.failed(.streamStopped(code))
    }

    func failed(_ error: WebTransportError) {
        self.state = .failed(error)
        self.resumeWaiters(throwing: error)
    }

    /// All was sent and acknowledged, or the stream was reset.
    func closed() {
        switch self.state {
        case .open: self.state = .failed(.streamStopped(nil))
        case .finished: self.state = .failed(.streamFinished)
        case .orphaned: self.state = .failed(.sessionClosed)
        case .failed: break
        }
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
