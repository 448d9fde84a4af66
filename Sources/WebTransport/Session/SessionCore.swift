import HTTP3
import HTTPTypes
import LoopConcurrency
import NIOCore
import QUIC
import WebTransportCore

/// One session on its connection's loop: what its public handle acts on.
final class SessionCore {
    /// The ID of its CONNECT stream.
    let id: Int64
    let request: HTTPRequest
    let connection: PeerConnection
    private(set) var response = HTTPResponse(status: .ok)
    private(set) var subprotocol: String?

    private var machine = SessionStateMachine()
    private var capsules: CapsuleDecoder
    /// How many capsules the peer has begun.
    var capsuleCount: Int { self.capsules.count }
    /// Nil where the ends have not agreed on limits of sessions.
    private(set) var flow: SessionFlow?
    private var hasReceivedClose = false
    let datagrams = DatagramInbox()
    let datagramHeader: ByteBuffer
    /// See `isDueToPause`.
    var datagramsSincePause = 0
    let incomingBidirectional: Mailbox<NIOLoopBound<ReceiveStreamCore>>
    let incomingUnidirectional: Mailbox<NIOLoopBound<ReceiveStreamCore>>
    /// The streams of either side that have not closed, by ID; weak, since the connection keeps them.
    private var streams: [StreamID: WeakStream] = [:]
    /// Whether the streams of a session that has ended have been reset.
    private var hasLeftStreams = false
    let ended = Occurrence<WebTransportSession.End>()
    let draining = Occurrence<Void>()
    /// Kept when the CONNECT stream has closed in both directions, or the connection has: the peer knows of the end.
    let settled: EventLoopPromise<Void>

    private struct WeakStream {
        weak var receiving: ReceiveStreamCore?
        weak var sending: SendStreamCore?
    }

    /// - Parameter limits: nil where the ends have not agreed on limits of sessions.
    init(id: Int64, request: HTTPRequest, connection: PeerConnection, limits: Negotiation.FlowControl?) {
        self.id = id
        self.request = request
        self.connection = connection
        var known: Set<CapsuleType> = [.closeSession, .drainSession, .maxStreamData, .streamDataBlocked]
        if limits != nil { known.formUnion(CapsuleType.flowControl) }
        self.capsules = CapsuleDecoder(known: known, maxPayloadSize: 4 + SessionClose.maxReasonSize)
        self.datagramHeader = HTTPDatagram.header(streamID: id)
        // MAX_STREAMS bounds them: a peer gets credit for another stream only when one was taken.
        self.incomingBidirectional = Mailbox(lowWatermark: 1, highWatermark: .max)
        self.incomingUnidirectional = Mailbox(lowWatermark: 1, highWatermark: .max)
        self.settled = connection.eventLoop.makePromise()
        if let limits { self.flow = SessionFlow(limits, of: self) }
    }

    var isEstablished: Bool { self.machine.isEstablished }

    var handle: WebTransportSession {
        WebTransportSession(self)
    }

    func established(response: HTTPResponse, subprotocol: String?) {
        self.response = response
        self.subprotocol = subprotocol
        _ = self.machine.accepted()
    }

    // MARK: Streams

    func streamArrived(_ core: ReceiveStreamCore) {
        if let flow = self.flow {
            core.count(in: flow)
            guard flow.streamArrived(core.id.direction), self.isEstablished else {
                self.connection.reject(core, code: WebTransportErrorCode.sessionGone)
                return
            }
        }
        let bound = NIOLoopBound(core, eventLoop: self.connection.eventLoop)
        self.streams[core.id] = WeakStream(receiving: core)
        self.sweepStreams()
        let mailbox =
            core.id.direction == .bidirectional ? self.incomingBidirectional : self.incomingUnidirectional
        if mailbox.source.offer(bound) == .ended {
            // The application does not look at such streams (any more).
            self.connection.reject(core, code: WebTransportErrorCode.bufferedStreamRejected)
        }
    }

    func opened(_ core: SendStreamCore) {
        self.streams[core.id] = WeakStream(receiving: core.counterpart, sending: core)
        self.sweepStreams()
    }

    func replying(_ core: SendStreamCore) {
        guard self.isEstablished else {
            core.sessionEnded()
            if self.hasLeftStreams { return core.leaveSession() }
            self.streams[core.id, default: WeakStream()].sending = core
            return
        }
        self.streams[core.id, default: WeakStream()].sending = core
    }

    /// Drops the entries of streams that are gone, when there are twice as many as the last time.
    private func sweepStreams() {
        guard self.streams.count >= self.nextSweep else { return }
        self.streams = self.streams.filter { $0.value.receiving != nil || $0.value.sending != nil }
        self.nextSweep = max(64, self.streams.count * 2)
    }
    private var nextSweep = 64

    // MARK: The CONNECT stream

    func capsuleBytesReceived(_ bytes: ByteBuffer) {
        var bytes = bytes
        do throws(HTTP3Error) {
            while bytes.readableBytes > 0 {
                if self.hasReceivedClose {
                    // draft-ietf-webtrans-http3 § 6: not a byte may follow WT_CLOSE_SESSION.
                    throw HTTP3Error(.messageError, "data after WT_CLOSE_SESSION")
                }
                guard let capsule = try self.capsules.next(from: &bytes) else { break }
                try self.capsuleReceived(capsule)
            }
        } catch {
            self.fail(error)
        }
    }

    /// The peer broke a rule of sessions: the session ends, its connection stays.
    func fail(_ error: HTTP3Error) {
        self.connection.abortRequest(self.id, code: error.code)
        self.peerClosed(.abnormal(error.message))
    }

    private func capsuleReceived(_ capsule: Capsule) throws(HTTP3Error) {
        switch capsule.type {
        case .drainSession:
            self.drainReceived()
        case .maxStreamData, .streamDataBlocked:
            // draft-ietf-webtrans-http3 § 5.4: QUIC has limits of its own for each stream.
            throw HTTP3Error(.messageError, "a capsule for limits of one stream, which HTTP/3 has no use for")
        case _ where self.flow != nil && CapsuleType.flowControl.contains(capsule.type):
            if let message = try SessionFlowControl.Message(capsule) { try self.flow?.capsuleReceived(message) }
        default:
            guard let close = SessionClose(payload: capsule.payload) else {
                throw HTTP3Error(.messageError, "a WT_CLOSE_SESSION capsule that is too short, too long or not UTF-8")
            }
            self.hasReceivedClose = true
            self.peerClosed(.closedByPeer(close))
        }
    }

    /// The peer's FIN. Without WT_CLOSE_SESSION it means code 0 and no reason.
    func requestStreamFinished() {
        if self.capsules.isAtBoundary {
            self.peerClosed(.closedByPeer(SessionClose()))
        } else {
            // RFC 9297 § 3.3: a capsule that is cut short makes the message malformed.
            self.connection.abortRequest(self.id, code: .messageError)
            self.peerClosed(.abnormal("the peer ended the session within a capsule"))
        }
    }

    func requestStreamReset(code: UInt64) {
        self.connection.abortRequest(self.id, code: .requestCancelled)
        self.peerClosed(.abnormal("the peer reset the session with HTTP/3 code 0x\(String(code, radix: 16))"))
    }

    func requestStreamClosed() {
        self.peerClosed(.abnormal("the session's stream was closed"))
    }

    func drainReceived() {
        if self.machine.drainReceived() { self.draining.happened(()) }
    }

    func connectionClosed(_ reason: ConnectionCloseReason) {
        guard self.machine.peerClosed() == .finish else { return }
        self.finish(.abnormal(reason.description))
    }

    private func peerClosed(_ end: WebTransportSession.End) {
        guard self.machine.peerClosed() == .finish else { return }
        // Answer FIN, if this side is still open.
        self.connection.http3?.send(ByteBuffer(), on: self.id, isFinal: true)
        self.finish(end)
    }

    func exportKeyingMaterial(label: String, context: [UInt8], count: Int) throws -> [UInt8] {
        // draft-ietf-webtrans-http3 § 4.8: session ID, then label and context, each behind its length.
        var fullContext = withUnsafeBytes(of: UInt64(self.id).bigEndian) { Array($0) }
        fullContext += [UInt8(label.utf8.count)] + Array(label.utf8)
        fullContext += [UInt8(context.count)] + context
        do {
            return try self.connection.quic.exportKeyingMaterial(
                label: "EXPORTER-WebTransport",
                context: fullContext,
                count: count
            )
        } catch {
            throw WebTransportError(.connectionClosed, error.message)
        }
    }

    /// Tells a peer that keeps limits, although this end states none, that there are none.
    func grantEverything() {
        let unlimited = SessionLimits.unlimited
        let messages: [SessionFlowControl.Message] = [
            .maxData(unlimited.data),
            .maxStreams(.bidirectional, unlimited.bidirectionalStreams),
            .maxStreams(.unidirectional, unlimited.unidirectionalStreams),
        ]
        for message in messages { self.connection.http3?.send(Capsule(message).encoded, on: self.id) }
    }

    // MARK: Ending

    /// The application closes the session: WT_CLOSE_SESSION, then FIN at once.
    func close(_ close: SessionClose) {
        switch self.machine.closed() {
        case .sendClose:
            let capsule = Capsule(.closeSession, payload: close.payload)
            self.connection.http3?.send(capsule.encoded, on: self.id, isFinal: true)
            self.end(.closedLocally(close))
        case .abandonRequest:
            self.connection.abortRequest(self.id, code: .requestCancelled)
            self.finish(.closedLocally(close))
        case .ignore:
            break
        }
    }

    /// A client's request was refused: nobody has the session.
    func abandon() {
        _ = self.machine.closed()
        self.finish(.abnormal("refused"))
    }

    /// Asks the peer to finish (WT_DRAIN_SESSION). The session goes on.
    func drain() {
        guard self.isEstablished else { return }
        self.connection.http3?.send(Capsule(.drainSession).encoded, on: self.id)
        self.connection.markDirty()
    }

    /// The session is over for the application and for the peer.
    private func finish(_ end: WebTransportSession.End) {
        self.end(end)
        self.peerKnowsOfEnd()
    }

    /// The session is over for the application. Its streams are reset when the peer knows of the end: before the close,
    /// the resets make Chromium 156 lose code and reason (it told 81 of 1,000 pages "Connection lost", and behind it
    /// none).
    private func end(_ end: WebTransportSession.End) {
        self.flow?.sessionEnded()
        for stream in self.streams.values {
            stream.receiving?.sessionEnded()
            stream.sending?.sessionEnded()
        }
        self.datagrams.finish()
        self.incomingBidirectional.source.finish()
        self.incomingUnidirectional.source.finish()
        self.draining.happened(())
        self.ended.happened(end)
        self.connection.sessionEnded(self)
    }

    /// The peer has acknowledged the close, or its own end of the session is known: every stream is reset
    /// (draft-ietf-webtrans-http3 § 6).
    func peerKnowsOfEnd() {
        guard !self.hasLeftStreams else { return }
        self.hasLeftStreams = true
        for (id, stream) in self.streams {
            stream.receiving?.leaveSession()
            stream.sending?.leaveSession()
            self.connection.resetUntakenHalf(of: id)
        }
        self.streams.removeAll()
        self.connection.markDirty()
    }
}
