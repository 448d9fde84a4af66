import HTTP3
import HTTPSemantics
public import HTTPTypes
import Logging
import LoopConcurrency
import NIOCore
import QUIC
import WebTransportCore

// Requests and responses: resources, and the CONNECT that begins a session.

extension PeerConnection {
    /// A request with what followed it on its stream.
    struct HeldRequest {
        let streamID: Int64
        let request: HTTPRequest
        var data = ByteQueue()
        var isFinished = false
    }

    func dispatch(_ event: HTTP3Event) throws(HTTP3Error) {
        switch event {
        case .request(let streamID, let request):
            guard case .server(let context) = self.role else { return }
            do throws(InvalidRequest) {
                try request.checkPseudoHeaderFields()
            } catch {
                if Negotiation.connectProtocols.contains(request.extendedConnectProtocol ?? "") {
                    self.logRefusal(of: request, status: error.status, error.reason, context)
                }
                if request.method == .connect { self.refuseSession(streamID) }
                return try self.answer(streamID, with: error.response)
            }
            if request.method == .connect {
                try self.connectReceived(streamID, request, context)
            } else {
                try self.answer(streamID, with: context.responder.response(to: request))
            }
        case .response(let streamID, let response):
            switch self.role {
            case .server: return
            case .client(let requests): self.responseReceived(streamID, response, to: requests)
            case .fetching(let fetch): try self.responseReceived(streamID, response, to: fetch)
            case .tunnelling(let tunnel): self.responseReceived(streamID, response, to: tunnel)
            }
        case .fieldsTooLarge(let streamID):
            // RFC 9114 § 4.2.2: a client has nothing to answer; without its fields the response is none.
            let error = WebTransportError.notSupported("the server's response has more header fields than fit")
            switch self.role {
            case .server:
                self.refuseSession(streamID)
                try self.respond(HTTPResponse(status: .requestHeaderFieldsTooLarge), on: streamID)
            case .client(let requests):
                self.abortRequest(streamID, code: .excessiveLoad)
                requests.answered(streamID)?.fail(error)
                self.sessions[streamID]?.abandon()
            case .fetching(let fetch):
                self.abortRequest(streamID, code: .excessiveLoad)
                fetch.fail(error)
            case .tunnelling(let tunnel):
                self.abortRequest(streamID, code: .excessiveLoad)
                tunnel.fail(error)
            }
        case .data(let streamID, let bytes):
            if let tunnel = self.tunnels[streamID] { return tunnel.received(bytes) }
            if self.isHeld(streamID) { return try self.hold(bytes, of: streamID) }
            self.quic.consumed(bytes.readableBytes, of: StreamID(rawValue: streamID))
            if case .fetching(let fetch) = self.role {
                fetch.received(bytes, on: streamID)
            } else if let session = self.sessions[streamID] ?? self.settling[streamID] {
                let before = session.capsuleCount
                session.capsuleBytesReceived(bytes)
                try self.spend(.capsules, session.capsuleCount - before)
            } else {
                self.dropBody(bytes, of: StreamID(rawValue: streamID))
            }
        case .end(let streamID):
            self.requestDeadlines.requestEnded(StreamID(rawValue: streamID))
            if let index = self.heldRequests.firstIndex(where: { $0.streamID == streamID }) {
                self.heldRequests[index].isFinished = true
            }
            self.sessions[streamID]?.requestStreamFinished()
            self.tunnels[streamID]?.peerFinished()
            if case .fetching(let fetch) = self.role { fetch.ended(streamID, self.quic) }
        case .resetDemanded(let streamID, let code):
            self.quic.reset(StreamID(rawValue: streamID), code: code)
            self.failRequest(streamID, .malformedResponse)
            // A malformed request begins no session.
            if self.sessions[streamID] == nil, self.settling[streamID] == nil { self.refuseSession(streamID) }
        case .stopDemanded(let streamID, let code):
            self.quic.stopSending(StreamID(rawValue: streamID), code: code)
        case .goaway(let limit):
            self.hasReceivedGoaway = true
            self.failUnprocessedRequests(from: limit)
            for session in self.sessions.values { session.drainReceived() }
        }
    }

    private func respond(_ response: HTTPResponse, on streamID: Int64) throws(HTTP3Error) {
        self.incoming[StreamID(rawValue: streamID)]?.isAnswered = true
        try self.submit(response, on: streamID, isFinal: true)
        self.markDirty()
    }

    func submit(_ response: HTTPResponse, on streamID: Int64, isFinal: Bool) throws(HTTP3Error) {
        try self.http3?.submit(response.stamped, on: streamID, isFinal: isFinal)
    }

    // MARK: Time and size of requests

    /// A stream has begun that may be a request of a client's.
    func requestBegan(_ id: StreamID) {
        guard case .server(let context) = self.role else { return }
        self.requestDeadlines.requestBegan(id, until: .now() + context.requestTimeout)
    }

    func requestTimedOut(_ id: StreamID) {
        guard self.quic.isOpen, let stream = self.incoming[id], !stream.isClosed else { return }
        self.endpoint.counts.requestsTimedOut += 1
        if stream.isAnswered { return self.stopBody(of: id) }
        self.forgetHeldRequest(id.rawValue)
        self.refuseSession(id.rawValue)
        self.abortRequest(id.rawValue, code: .requestIncomplete)
    }

    /// Nobody reads the body of a request, which was answered when its header fields were there.
    private func dropBody(_ bytes: ByteBuffer, of id: StreamID) {
        guard let stream = self.incoming[id], stream.isAnswered, !stream.isStoppedHere else { return }
        stream.droppedByteCount += bytes.readableBytes
        if stream.droppedByteCount > HTTPRequest.maximumBody { self.stopBody(of: id) }
    }

    /// The response stands without the rest of the request (RFC 9114 § 4.1).
    private func stopBody(of id: StreamID) {
        self.requestDeadlines.requestEnded(id)
        self.stopReceiving(id, code: HTTP3ErrorCode.h3NoError.rawValue)
        self.markDirty()
    }

    // MARK: Resources

    func answer(_ streamID: Int64, with resource: ResourceResponse) throws(HTTP3Error) {
        self.updateReaping()
        self.incoming[StreamID(rawValue: streamID)]?.isAnswered = true
        let hasBody = resource.body.readableBytes > 0
        try self.submit(resource.completeHead, on: streamID, isFinal: !hasBody)
        if hasBody { self.http3?.send(resource.body, on: streamID, isFinal: true) }
        self.markDirty()
    }

    // MARK: Sessions of a server

    /// The peer's SETTINGS decide what may begin.
    func received(_ settings: SettingValues) throws(HTTP3Error) {
        let role: Negotiation.Role = self.quic.isServer ? .server : .client
        let terms = Negotiation(as: role, offering: self.offer, to: settings)
        self.negotiated = (settings, terms)
        self.logger.debug(
            "settings received",
            metadata: [
                LoggingKeys.settings: "\(settings)",
                LoggingKeys.dialect: "\(terms.dialect.map { "\($0)" } ?? "none")",
                LoggingKeys.sessions: "\(terms.maxSessions)",
            ]
        )
        switch self.role {
        case .server:
            try self.resumeHeldRequests()
        case .fetching:
            break
        case .tunnelling(let tunnel):
            try self.serverSettingsReceived(settings, tunnel)
        case .client(let requests):
            try self.serverSettingsReceived(settings, terms, requests)
        }
    }

    /// Whether requests for sessions are answered: the client has said what it speaks
    /// (draft-ietf-webtrans-http3 § 3.1), and its request is no replay of early data (draft-ietf-webtrans-http3 § 3.4;
    /// RFC 8470 § 5.1).
    private var servesSessions: Bool { self.negotiated != nil && !self.isHalfOpen }

    /// What the requests waited for may have come: they are taken as if they came now.
    func resumeHeldRequests() throws(HTTP3Error) {
        guard !self.isHalfOpen, case .server(let context) = self.role else { return }
        let held = self.heldRequests
        self.heldRequests.removeAll()
        for var held in held {
            try self.connectReceived(held.streamID, held.request, context)
            while let bytes = held.data.next() { try self.dispatch(.data(streamID: held.streamID, bytes)) }
            if held.isFinished { try self.dispatch(.end(streamID: held.streamID)) }
        }
    }

    private func connectReceived(
        _ streamID: Int64,
        _ request: HTTPRequest,
        _ context: ServerContext
    ) throws(HTTP3Error) {
        let tunnels = context.tunnels.flatMap { $0.name == request.extendedConnectProtocol ? $0 : nil }
        // A tunnel needs to know nothing of the client, but is no more to be opened by a replay than a session.
        guard tunnels == nil ? self.servesSessions : !self.isHalfOpen else {
            // RFC 9114 allows 128 requests and more; a client of which nothing is known yet gets few.
            guard self.heldRequests.count < 16 else {
                throw HTTP3Error(.heldRequests)
            }
            self.heldRequests.append(HeldRequest(streamID: streamID, request: request))
            return
        }
        if let tunnels { return try self.openTunnel(streamID, request, tunnels) }
        guard let (settings, terms) = self.negotiated else { return }
        switch self.decide(on: request, settings, terms, context) {
        case .reset(let code, let reason):
            self.logRefusal(of: request, status: nil, reason, context)
            self.refuseSession(streamID)
            self.abortRequest(streamID, code: code)
        case .answer(.refuse(let status, let reason, let fields)):
            self.logRefusal(of: request, status: status, reason, context)
            self.refuseSession(streamID)
            try self.respond(HTTPResponse(status: status, headerFields: fields), on: streamID)
        case .answer(.accept(let status, let chosen, let fields)):
            var response = HTTPResponse(status: status, headerFields: fields)
            if request.headerFields[.webTransportDraft02] != nil {
                response.headerFields[.webTransportDraft] = "draft02"
            }
            // draft-ietf-webtrans-http3 § 3.3: only what the client offered, as a structured-field string.
            let subprotocol = chosen.flatMap { request.availableWebTransportProtocols.contains($0) ? $0 : nil }
            if let subprotocol {
                response.headerFields[.webTransportProtocol] = ProtocolNames.serialize(subprotocol)
            }
            guard self.http3 != nil else { return context.sessions.release() }
            do throws(HTTP3Error) {
                try self.submit(response, on: streamID, isFinal: false)
            } catch {
                context.sessions.release()
                throw error
            }
            let session = SessionCore(
                id: streamID,
                request: request,
                connection: self,
                limits: terms.flowControl
            )
            self.sessions[streamID] = session
            self.incoming[StreamID(rawValue: streamID)]?.isAnswered = true
            self.requestDeadlines.requestEnded(StreamID(rawValue: streamID))
            self.endpoint.counts.sessionsAccepted += 1
            self.endpoint.counts.sessions += 1
            self.hasCarriedSession = true
            session.established(response: response, subprotocol: subprotocol)
            if terms.peerExpectsCredit { session.grantEverything() }
            self.updateReaping()
            self.deliverEarlyArrivals(to: session)
            self.newSessions.append(session)
            self.markDirty()
        }
    }

    /// Keeps what follows a request that is held: it belongs to the session (draft-ietf-webtrans-http3 § 3.2).
    /// Its credit is returned when it is taken.
    private func hold(_ bytes: ByteBuffer, of streamID: Int64) throws(HTTP3Error) {
        guard let index = self.heldRequests.firstIndex(where: { $0.streamID == streamID }) else { return }
        self.heldRequests[index].data.append(bytes)
        // A few capsules of greeting, or a WebSocket's first messages.
        guard self.heldRequests[index].data.readableBytes <= 16 * 1024 else {
            throw HTTP3Error(.heldRequests)
        }
    }

    private func isHeld(_ streamID: Int64) -> Bool {
        self.heldRequests.contains { $0.streamID == streamID }
    }

    /// The stream of a request that may wait has ended before its time.
    func forgetHeldRequest(_ streamID: Int64) {
        guard let index = self.heldRequests.firstIndex(where: { $0.streamID == streamID }) else { return }
        let count = self.heldRequests.remove(at: index).data.readableBytes
        self.quic.consumed(count, of: StreamID(rawValue: streamID))
    }

    private func logRefusal(
        of request: HTTPRequest,
        status: HTTPResponse.Status?,
        _ reason: String,
        _ context: ServerContext
    ) {
        self.endpoint.counts.sessionsRefused[status?.code, default: 0] += 1
        context.refusals.log(
            "WebTransport",
            reason,
            of: request,
            status: status,
            from: self.quic.path.remote.socketAddress,
            at: self.eventLoop.now
        )
    }

    /// What becomes of a request for a session.
    private enum Decision {
        /// Give up its stream: the request is malformed, or was not processed at all.
        case reset(HTTP3.HTTP3ErrorCode, reason: String)
        /// An acceptance holds a place in the register of sessions.
        case answer(SessionAdmission)

        static func refuse(_ status: HTTPResponse.Status, reason: String) -> Self {
            .answer(.refuse(status, reason: reason))
        }
    }

    private func decide(
        on request: HTTPRequest,
        _ settings: SettingValues,
        _ terms: Negotiation,
        _ context: ServerContext
    ) -> Decision {
        guard Negotiation.connectProtocols.contains(request.extendedConnectProtocol ?? "") else {
            // RFC 9220 § 3.
            return .refuse(.notImplemented, reason: "CONNECT for protocol \(request.extendedConnectProtocol ?? "none")")
        }
        guard !request.isEarlyDataOfGateway else {
            return .refuse(
                .tooEarly,
                reason: "a request for a session that came as early data to a gateway"
            )
        }
        if let why = Negotiation.reasonAgainstClient(settings, takesDatagrams: self.quic.peerTakesDatagrams) {
            return .reset(.messageError, reason: why)
        }
        do {
            try context.originPolicy.check(origin: request.headerFields[.origin], authority: request.authority ?? "")
        } catch {
            return .refuse(.forbidden, reason: error.description)
        }
        guard self.sessions.count < terms.maxSessions else {
            // draft-ietf-webtrans-http3 § 5.1: one at a time without session flow control. The code says that the
            // request may be made again, on another connection.
            return .reset(.requestRejected, reason: "this connection has its \(terms.maxSessions) sessions already")
        }
        switch context.sessions.reserve() {
        case .draining:
            return .refuse(.serviceUnavailable, reason: "the server is shutting down")
        case .full:
            return .refuse(
                .tooManyRequests,
                reason: "the server already has \(context.sessions.limit) sessions; raise --max-sessions to allow more"
            )
        case .reserved:
            var admission = context.admission(request)
            if case .accept(let status, _, _) = admission, status.kind != .successful {
                admission = .refuse(
                    .internalServerError,
                    reason: "the application accepts it with status \(status.code), which is none of success"
                )
            }
            if case .refuse = admission { context.sessions.release() }
            return .answer(admission)
        }
    }

    /// A request's stream was reset by the peer.
    func requestReset(_ streamID: Int64, code: UInt64) {
        self.failRequest(streamID, .reset(http3Code: code))
        self.sessions[streamID]?.requestStreamReset(code: code)
        if self.isHeld(streamID) {
            self.forgetHeldRequest(streamID)
            self.refuseSession(streamID)
        }
    }
}

extension HTTPField.Name {
    /// RFC 8470 § 5.1.
    static let earlyData = Self("early-data")!
    /// Sent by draft-02 clients (Chromium, Firefox).
    static let webTransportDraft02 = Self("sec-webtransport-http3-draft02")!
    /// The draft-02 server's answer to it.
    static let webTransportDraft = Self("sec-webtransport-http3-draft")!
    /// draft-ietf-webtrans-http3 § 3.3.
    static let webTransportProtocol = Self("wt-protocol")!
    /// draft-ietf-webtrans-http3 § 3.3.
    static let webTransportAvailableProtocols = Self("wt-available-protocols")!
}

extension HTTPRequest {
    /// Whether a gateway took it before the client's handshake; it sends it again after 425 (RFC 8470 § 5.1, § 5.2).
    var isEarlyDataOfGateway: Bool { self.headerFields[.earlyData] == "1" }

    /// The application protocols that a client offers for its session, the best first
    /// (draft-ietf-webtrans-http3 § 3.3).
    ///
    /// None when the field is malformed: it is then ignored as a whole.
    public var availableWebTransportProtocols: [String] {
        self.headerFields[.webTransportAvailableProtocols].flatMap(ProtocolNames.parse(list:)) ?? []
    }
}
