import HTTP3
import HTTPSemantics
import HTTPTypes
import LoopConcurrency
import NIOCore
import QUIC
import WebTransportCore

// Tunnels: extended CONNECT for a protocol that somebody else speaks (RFC 9220).

extension PeerConnection {
    func openTunnel(_ streamID: Int64, _ request: HTTPRequest, _ service: TunnelService) throws(HTTP3Error) {
        guard !request.isEarlyDataOfGateway else {
            return try self.answer(streamID, with: .text(.tooEarly, "it came as early data to a gateway\n"))
        }
        switch service.open(request, self.quic.path.remote.socketAddress, self.eventLoop) {
        case .refuse(let response):
            try self.answer(streamID, with: response)
        case .accept(let response, let user):
            guard self.http3 != nil else { return user.closed() }
            do throws(HTTP3Error) {
                try self.submit(response, on: streamID, isFinal: false)
            } catch {
                user.closed()
                throw error
            }
            let tunnel = RequestTunnel(id: streamID, connection: self, user: user)
            self.tunnels[streamID] = tunnel
            self.requestDeadlines.requestEnded(tunnel.id)
            self.incoming[StreamID(rawValue: streamID)]?.isAnswered = true
            user.begin(on: tunnel)
            self.markDirty()
        }
    }
}

// A client's tunnel.

extension PeerConnection {
    func serverSettingsReceived(_ settings: SettingValues, _ tunnel: ClientTunnel) throws(HTTP3Error) {
        // Else the connection has failed meanwhile, and whoever waits will learn of it with its end.
        guard let http3 = self.http3, self.quic.isOpen, let head = tunnel.head else { return }
        // RFC 9220 § 3.
        guard settings[.enableConnectProtocol] == 1 else {
            tunnel.fail(.notSupported("the server takes no extended CONNECT over HTTP/3 (RFC 9220)"))
            return self.close()
        }
        let stream: StreamID
        do throws(QUICError) {
            stream = try self.quic.openStream(.bidirectional)
        } catch {
            tunnel.fail(.notSupported("the server does not allow a request stream"))
            return self.close()
        }
        tunnel.submitted(on: stream.rawValue)
        try http3.submit(head, on: stream.rawValue, isFinal: false)
        self.markDirty()
    }

    func responseReceived(_ streamID: Int64, _ response: HTTPResponse, to tunnel: ClientTunnel) {
        guard tunnel.awaitsAnswer(on: streamID) else { return }
        let user = tunnel.answered(
            response,
            from: self.quic.path.remote.socketAddress,
            isResumed: self.quic.isResumed
        )
        guard let user else { return self.close() }
        let tunnel = RequestTunnel(id: streamID, connection: self, user: user)
        self.tunnels[streamID] = tunnel
        user.begin(on: tunnel)
        self.markDirty()
    }
}

/// A tunnel in the DATA frames of a request: the end of the stream is TCP's FIN, a reset with H3_REQUEST_CANCELLED its
/// reset (RFC 9220 § 3).
///
/// Flow control bounds what is kept here of both directions: the stream's credit is returned as the user takes bytes,
/// and the user is asked to pause while the watermark's worth of what it has written waits to be acknowledged.
final class RequestTunnel: Tunnel {
    let id: StreamID
    private let connection: PeerConnection
    private let user: any TunnelUser
    /// What the user does not want yet: as much as flow control allows.
    private var inbox = ByteQueue()
    private var isDelivering = false
    private var hasPeerFinished = false
    private var hasToldEnd = false
    private var isClosed = false
    private(set) var isWritable = true
    private var writtenByteCount = 0

    init(id: Int64, connection: PeerConnection, user: any TunnelUser) {
        self.id = StreamID(rawValue: id)
        self.connection = connection
        self.user = user
    }

    // MARK: Receiving

    func received(_ bytes: ByteBuffer) {
        self.inbox.append(bytes)
        self.connection.untakenByteCount += bytes.readableBytes
        self.deliver()
    }

    func peerFinished() {
        self.hasPeerFinished = true
        self.deliver()
    }

    func resumeReading() { self.deliver() }

    private func deliver() {
        guard !self.isDelivering, !self.isClosed else { return }
        self.isDelivering = true
        defer { self.isDelivering = false }
        while !self.isClosed, self.user.wantsBytes, let bytes = self.takeNext() {
            self.user.received(bytes)
        }
        self.connection.markDirty()
        guard self.hasPeerFinished, !self.hasToldEnd, !self.isClosed, self.inbox.isEmpty else { return }
        self.hasToldEnd = true
        self.user.peerFinished()
    }

    private func takeNext() -> ByteBuffer? {
        guard let bytes = self.inbox.next() else { return nil }
        self.connection.untakenByteCount -= bytes.readableBytes
        self.connection.quic.consumed(bytes.readableBytes, of: self.id)
        return bytes
    }

    // MARK: Sending

    func write(_ bytes: ByteBuffer) {
        self.writtenByteCount += bytes.readableBytes
        self.connection.http3?.send(bytes, on: self.id.rawValue)
        guard self.isWritable, self.heldByteCount > PeerConnection.highWatermark else { return }
        self.isWritable = false
        self.user.writabilityChanged()
    }

    func flush() {
        self.connection.markDirty()
    }

    func finish() {
        self.connection.http3?.send(ByteBuffer(), on: self.id.rawValue, isFinal: true)
        self.connection.markDirty()
    }

    /// What was written has been acknowledged, or other streams have given up what they held.
    func roomReturned() {
        guard !self.isWritable, self.heldByteCount < PeerConnection.lowWatermark else { return }
        guard self.connection.hasRoomForStreams else { return self.connection.addWaitingTunnel(self.id) }
        self.isWritable = true
        self.user.writabilityChanged()
    }

    /// Bytes that the peer has, but for the frames' headers.
    var progress: Int { self.writtenByteCount - self.heldByteCount }

    /// What was written and the peer does not have yet.
    private var heldByteCount: Int {
        (self.connection.http3?.queuedByteCount(of: self.id.rawValue) ?? 0)
            + self.connection.quic.unacknowledgedByteCount(of: self.id)
    }

    // MARK: The end

    func abort() {
        self.connection.abortRequest(self.id.rawValue, code: .requestCancelled)
        self.closed()
    }

    /// The stream has closed in both directions, or nobody cares for it any more.
    func closed() {
        guard !self.isClosed else { return }
        self.isClosed = true
        self.connection.tunnels[self.id.rawValue] = nil
        // The connection's window must not shrink by what nobody takes.
        while self.takeNext() != nil {}
        self.connection.updateReaping()
        self.user.closed()
    }
}
