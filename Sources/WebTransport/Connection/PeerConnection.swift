import DequeModule
import HTTP3
import HTTPTypes
import Logging
import NIOCore
import QUIC
import WebTransportCore

/// One QUIC connection with HTTP/3 and the WebTransport sessions on it.
///
/// It translates: QUIC's events into bytes for HTTP/3 or for a session's streams, HTTP/3's events into requests and
/// capsules, and their output into QUIC's streams. It belongs to its endpoint's loop.
final class PeerConnection {
    let quic: QUIC.Connection
    /// The endpoint lets go of a connection when it has closed, which ends the cycle.
    let endpoint: UDPEndpoint
    let role: Role
    /// Whether it stands on the endpoint's list of connections that changed.
    var isDirty = false

    var http3: HTTP3Connection?
    var settingsReader = PeerSettingsReader()
    var hasSeenControlType = false
    /// What this end says of itself in SETTINGS.
    let offer: WebTransportOffer
    /// What the peer says, and what follows from both.
    var negotiated: (settings: SettingValues, terms: Negotiation)?
    var incoming: [StreamID: IncomingStream] = [:]
    var sendStreams: [StreamID: SendStreamCore] = [:]
    /// Established sessions, and those of a client that are not answered yet.
    var sessions: [Int64: SessionCore] = [:]
    /// Sessions that have begun, until their responses are on the way.
    var newSessions: [SessionCore] = []
    /// Sessions that have ended here, until their CONNECT stream has closed in both directions.
    var settling: [Int64: SessionCore] = [:]
    /// Requests whose streams carry somebody else's protocol.
    var tunnels: [Int64: RequestTunnel] = [:]
    /// Sessions whose streams may still arrive, the latest last.
    var endedSessions: Deque<Int64> = []
    var early = EarlyArrivals<ReceiveStreamCore, ByteBuffer>()
    /// Streams of some session for which there was no room then. Beyond the limit they are not made up for.
    var missedArrivals: [StreamDirection] = []
    static let maxMissedArrivals = 256
    /// Requests for a session that came before the client's SETTINGS (draft-ietf-webtrans-http3 § 3.1).
    var heldRequests: [HeldRequest] = []
    /// Those who wait until the peer allows another stream on the connection.
    var openings = StreamOpenings()
    /// Streams with suspended writers, which wait for their own acknowledgements or those of others.
    var waitingWriters: [SendStreamCore] = []
    /// Tunnels that wait until the connection as a whole holds less.
    var waitingTunnels: Set<Int64> = []
    /// HTTP/3's streams that this end has written to and that have not closed.
    var outputStreams: Set<StreamID> = []
    /// Those of them whose output waits for acknowledgements.
    var blockedOutput: Set<Int64> = []
    /// Whether they held as much as they may together when they were last written to.
    var isOutputFull = false
    /// Whoever waits until no session is ending and no response is under way.
    var settledPromises: [EventLoopPromise<Void>] = []
    /// Whether a server still waits for the end of the handshake: until then nothing proves that what arrives is new
    /// (RFC 9001 § 9.2).
    private(set) var isHalfOpen: Bool
    var closeReason: ConnectionCloseReason?
    /// When a connection without a session is closed. Chromium never closes one itself.
    var reapDeadline: NIODeadline?
    /// A server's.
    var requestDeadlines = RequestDeadlines()
    /// When the client had last read enough of its responses, and what it had acknowledged by then.
    var responseProgress: (time: NIODeadline, byteCount: Int)?
    var hasCarriedSession = false
    private(set) var isDraining = false
    /// Whether a stream or datagram of a session has arrived.
    var hasCarriedTraffic = false
    var hasReceivedGoaway = false
    /// Whether packets have come in since events were last dispatched.
    var hasReceived = false
    var probes = ProbeSchedule()
    var abuse = AbuseGuard()
    /// What the guard knows of.
    var seenProgress = 0
    var seenIdlePackets = 0
    /// What the endpoint knows of.
    var seenHolding = InboundMemory.Holding()
    /// Data of streams and tunnels that has arrived and that nobody has taken.
    var untakenByteCount = 0

    enum Role {
        case server(ServerContext)
        case client(ClientRequests)
        case fetching(ResourceFetch)
        case tunnelling(ClientTunnel)
    }

    /// As many as webtransport-go remembers.
    static let rememberedSessions = 16

    init(quic: QUIC.Connection, endpoint: UDPEndpoint, role: Role) {
        self.quic = quic
        self.endpoint = endpoint
        self.role = role
        self.offer =
            switch role {
            case .server(let context): context.offer
            case .client(let requests): requests.offer
            case .fetching, .tunnelling: .oneSession
            }
        self.isHalfOpen = quic.isServer
    }

    /// Whether the handshake is complete: of a client, whether the server is there.
    var isConnected: Bool { self.http3 != nil }
    var eventLoop: any EventLoop { self.endpoint.eventLoop }
    var logger: Logger { self.endpoint.logger }

    func markDirty() {
        self.endpoint.markDirty(self)
    }

    // MARK: Closing

    /// Asks the sessions to finish, and the peer to begin no others here (GOAWAY, RFC 9114 § 5.2).
    func drain() {
        self.isDraining = true
        for session in self.sessions.values { session.drain() }
        // Chromium 156 crashes on a GOAWAY that comes before a session's first data.
        if self.hasCarriedTraffic, let http3 = self.http3 {
            do throws(HTTP3Error) {
                try http3.announceShutdown()
            } catch {
                self.fail(error)
            }
        }
        self.markDirty()
    }

    func close(code: UInt64 = HTTP3ErrorCode.h3NoError.rawValue, reason: String = "") {
        self.reapDeadline = nil
        self.quic.close(code: code, reason: reason, at: .now())
        self.markDirty()
    }

    func fail(_ error: HTTP3Error) {
        // Events that came before the close are still to be dispatched, and may fail, too.
        guard self.quic.isOpen else { return }
        if let limit = error.limit { self.endpoint.counts.limits[limit, default: 0] += 1 }
        self.logger.debug("connection failed", metadata: [LoggingKeys.error: "\(error)"])
        // nghttp3 must not be used after it has found an error.
        self.http3 = nil
        self.close(code: error.code.rawValue, reason: error.message)
    }

    // MARK: Events

    func dispatchEvents() {
        var isSilent = true
        while let event = self.quic.nextEvent() {
            isSilent = false
            do throws(HTTP3Error) {
                try self.dispatch(event)
            } catch {
                self.fail(error)
            }
        }
        if self.hasReceived {
            self.hasReceived = false
            self.considerProbe(isSilent: isSilent)
        }
        if case .fetching(let fetch) = self.role { self.closeWhenFetched(fetch) }
    }

    private func considerProbe(isSilent: Bool) {
        guard self.quic.isOpen, !self.sessions.isEmpty else { return self.probes.cancel() }
        let statistics = self.quic.pathStatistics
        let isDue = self.probes.packetsArrived(
            at: .now(),
            isSilent: isSilent,
            bytesInFlight: statistics.bytesInFlight,
            roundTrip: statistics.smoothedRoundTrip
        )
        if isDue { self.probeSessions() }
    }

    func probeSessions() {
        for session in self.sessions.keys { self.quic.probe(StreamID(rawValue: session)) }
    }

    private func dispatch(_ event: ConnectionEvent) throws(HTTP3Error) {
        switch event {
        case .readyToSend:
            try self.startHTTP3()
        case .earlyDataRejected:
            try self.restartHTTP3()
        case .handshakeCompleted:
            self.handshakeEnded()
            try self.resumeHeldRequests()
        case .streamData(let id, let bytes, let isFinal):
            try self.receive(bytes, on: id, isFinal: isFinal)
        case .streamReset(let id, let code, let finalSize, let isLate):
            try self.streamReset(id, code: code, finalSize: finalSize, isLate: isLate)
        case .streamStillborn(let id):
            try self.streamStillborn(id)
        case .stopSending(let id, let code):
            try self.abandoned(id)
            if self.sessions[id.rawValue] != nil {
                self.requestReset(id.rawValue, code: code ?? HTTP3ErrorCode.h3NoError.rawValue)
            } else if let tunnel = self.tunnels[id.rawValue] {
                tunnel.abort()
            } else if let stream = self.sendStreams[id] {
                stream.stopped(code: code.flatMap(ApplicationErrorCode.applicationCode(for:)))
                self.roomReturned()
            } else {
                self.http3?.stopWriting(id.rawValue)
            }
        case .streamClosed(let id, let sentByteCount):
            try self.streamClosed(id, sentByteCount: sentByteCount)
        case .acknowledged(let id):
            self.acknowledged(id)
        case .streamsAvailable(let direction):
            self.serveOpenings(direction)
        case .datagram(let frame):
            try self.receiveDatagram(frame)
        case .closed(let reason):
            self.connectionClosed(reason)
        }
    }

    private func handshakeEnded() {
        guard self.isHalfOpen else { return }
        self.isHalfOpen = false
        self.updateReaping()
    }

    func startHTTP3() throws(HTTP3Error) {
        let http3 = try HTTP3Connection(
            isServer: self.quic.isServer,
            additionalSettings: self.offer.http3Settings,
            maxRequests: self.quic.allowedBidirectionalStreams
        )
        do {
            let control = try self.quic.openStream(.unidirectional)
            let encoder = try self.quic.openStream(.unidirectional)
            let decoder = try self.quic.openStream(.unidirectional)
            try http3.bind(control: control.rawValue, encoder: encoder.rawValue, decoder: decoder.rawValue)
        } catch let error as HTTP3Error {
            throw error
        } catch {
            // RFC 9114 § 6.2: a peer must allow at least three unidirectional streams.
            throw HTTP3Error(.generalProtocolError, "the peer does not allow the streams that HTTP/3 needs")
        }
        self.http3 = http3
        if case .fetching(let fetch) = self.role { try self.submit(fetch) }
    }

    private func connectionClosed(_ reason: ConnectionCloseReason) {
        self.closeReason = reason
        self.endpoint.counts.connectionsClosed[.init(reason), default: 0] += 1
        self.reapDeadline = nil
        self.handshakeEnded()
        if case .client(let requests) = self.role { requests.fail(.connectionClosed(reason)) }
        for session in Array(self.sessions.values) { session.connectionClosed(reason) }
        self.sessions.removeAll()
        for session in self.settling.values { session.settled.succeed() }
        self.settling.removeAll()
        for tunnel in Array(self.tunnels.values) { tunnel.closed() }
        self.http3 = nil
        self.noteSettled()
        for stream in self.sendStreams.values {
            stream.failed(.connectionClosed(reason))
            stream.counterpart?.ended(.gone)
        }
        self.sendStreams.removeAll()
        self.waitingWriters.removeAll()
        for case .webTransport(let stream) in self.incoming.values.map(\.kind) { stream.ended(.gone) }
        self.incoming.removeAll()
        // They keep this connection, as it keeps them.
        self.early = EarlyArrivals()
        for opening in self.openings.remove(where: { _ in true }) {
            opening.promise.fail(WebTransportError.connectionClosed(reason))
        }
        switch self.role {
        case .server, .client: break
        case .fetching(let fetch): fetch.fail(.connectionClosed(reason))
        case .tunnelling(let tunnel): tunnel.fail(.connectionClosed(reason))
        }
    }

    func remember(endedSession id: Int64) {
        if self.endedSessions.count == Self.rememberedSessions { self.endedSessions.removeFirst() }
        self.endedSessions.append(id)
    }
}
