import HTTP3
import HTTPTypes
import NIOCore
import QUIC
import WebTransportCore

// The sessions of a client.

extension PeerConnection {
    /// Whether a further session to the server can share the connection.
    func takesSession(with server: ClientRequests.ServerName) -> Bool {
        guard case .client(let requests) = self.role, requests.server == server else { return false }
        // RFC 9114 § 5.2: no request after GOAWAY.
        guard self.quic.isOpen, self.http3 != nil, !self.hasReceivedGoaway else { return false }
        guard let terms = self.negotiated?.terms else { return false }
        return self.sessions.count < terms.maxSessions
    }

    /// - Precondition: `takesSession`.
    func open(_ request: ClientRequest) {
        guard case .client(let requests) = self.role, let terms = self.negotiated?.terms else { return }
        do throws(HTTP3Error) {
            try self.submit(request, of: requests, on: terms)
        } catch {
            self.fail(error)
        }
    }

    func serverSettingsReceived(
        _ settings: SettingValues,
        _ terms: Negotiation,
        _ requests: ClientRequests
    ) throws(HTTP3Error) {
        // Else the connection has failed meanwhile, and those who wait will learn of it with its end.
        guard self.http3 != nil, self.quic.isOpen else { return }
        guard !Negotiation.isSettingsError(ofServer: settings) else {
            // draft-16 § 3.1.
            throw HTTP3Error(.settingsError, "WT_ENABLED is neither 0 nor 1")
        }
        if let why = Negotiation.reasonAgainstServer(settings) {
            requests.fail(.notSupported(why))
            self.close()
        } else {
            for request in requests.takeWaiting() { try self.submit(request, of: requests, on: terms) }
        }
    }

    private func submit(
        _ request: ClientRequest,
        of requests: ClientRequests,
        on terms: Negotiation
    ) throws(HTTP3Error) {
        guard let http3 = self.http3, let dialect = terms.dialect else {
            preconditionFailure("a session is asked for where HTTP/3 runs and the server announces a dialect")
        }
        let stream: StreamID
        do throws(QUICError) {
            stream = try self.quic.openStream(.bidirectional)
        } catch {
            request.fail(.notSupported("the server does not allow a request stream"))
            self.closeIfUseless()
            return
        }
        request.speak(dialect)
        requests.submitted(request, on: stream.rawValue)
        try http3.submit(request.head, on: stream.rawValue, isFinal: false)
        self.sessions[stream.rawValue] = SessionCore(
            id: stream.rawValue,
            request: request.head,
            connection: self,
            limits: terms.flowControl
        )
        self.markDirty()
    }

    func responseReceived(_ streamID: Int64, _ response: HTTPResponse, to requests: ClientRequests) {
        guard let request = requests.answered(streamID), let session = self.sessions[streamID] else { return }
        guard response.status.kind == .successful else {
            request.fail(.refused(response.status))
            self.http3?.send(ByteBuffer(), on: streamID, isFinal: true)
            self.giveUp(session)
            return
        }
        // § 3.3: what is no string is ignored as a whole.
        let chosen = response.headerFields[.webTransportProtocol].flatMap(ProtocolNames.parse(item:))
        let offered = request.head.availableWebTransportProtocols
        if let chosen, !offered.isEmpty, !offered.contains(chosen) {
            // draft-15 § 3.3. The server learns of it first: whoever made the request may close the socket then.
            self.abortRequest(streamID, code: .init(rawValue: WebTransportErrorCode.alpnError))
            session.abandon()
            session.settled.futureResult.assumeIsolated().whenComplete { _ in
                request.fail(.subprotocolNotOffered(chosen))
            }
            return
        }
        session.established(response: response, subprotocol: offered.isEmpty ? nil : chosen)
        self.deliverEarlyArrivals(to: session)
        request.succeed(session.handle)
    }

    /// Nobody waits for the session any more.
    func cancel(_ request: ClientRequest) {
        guard case .client(let requests) = self.role else { return }
        if let streamID = requests.cancel(request), let session = self.sessions[streamID] {
            self.abortRequest(streamID, code: .requestCancelled)
            self.giveUp(session)
        }
        self.closeIfUseless()
    }

    /// Nobody has the session, and nothing is left to be said about it.
    private func giveUp(_ session: SessionCore) {
        session.abandon()
        self.settle(session.id)
    }

    // MARK: Requests that have no answer

    /// The server takes no request on this stream or a later one (RFC 9114 § 5.2).
    func failUnprocessedRequests(from limit: Int64) {
        switch self.role {
        case .server: break
        case .client(let requests): requests.fail(from: limit, .unprocessed)
        case .fetching(let fetch): if fetch.isUnanswered(from: limit) { fetch.fail(.unprocessed) }
        case .tunnelling(let tunnel): if tunnel.isUnanswered(from: limit) { tunnel.fail(.unprocessed) }
        }
    }

    /// The request on this stream, if it is still to be answered.
    func failRequest(_ streamID: Int64, _ error: WebTransportError) {
        switch self.role {
        case .server, .fetching: break
        case .client(let requests): requests.answered(streamID)?.fail(error)
        case .tunnelling(let tunnel): if tunnel.awaitsAnswer(on: streamID) { tunnel.fail(error) }
        }
    }
}
