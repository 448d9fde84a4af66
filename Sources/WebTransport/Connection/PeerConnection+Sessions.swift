import HTTP3
import NIOCore
import QUIC
import WebTransportCore

// What sessions ask of their connection.

extension PeerConnection {
    /// Hands sessions to the server's task when their responses have left. What a handler sends at once must not
    /// overtake them: a client keeps little of what belongs to no session that it knows.
    func offerNewSessions() {
        guard !self.newSessions.isEmpty, case .server(let context) = self.role else { return }
        let sessions = self.newSessions
        self.newSessions.removeAll()
        for session in sessions {
            if session.isEstablished, self.quic.hasUnsentBytes(of: StreamID(rawValue: session.id)) {
                self.newSessions.append(session)
            } else if !context.offer(session.handle) {
                session.close(SessionClose())
                self.markDirty()
            }
        }
    }

    func sessionEnded(_ session: SessionCore) {
        guard self.sessions.removeValue(forKey: session.id) != nil else { return }
        self.remember(endedSession: session.id)
        self.settling[session.id] = session
        for opening in self.openings.remove(where: { $0.session === session }) {
            opening.promise.fail(WebTransportError.sessionClosed)
        }
        switch self.role {
        case .server(let context):
            self.endpoint.counts.sessions -= 1
            context.sessions.release()
        case .client(let requests): requests.answered(session.id)?.fail(.sessionClosed)
        case .fetching, .tunnelling: break
        }
        self.updateReaping()
        self.markDirty()
    }

    /// A session's CONNECT stream has closed, and nothing of the session is under way any more.
    func settle(_ id: Int64) {
        guard let session = self.settling.removeValue(forKey: id) else { return }
        session.peerKnowsOfEnd()
        session.settled.succeed()
        self.noteSettled()
        self.closeIfUseless()
    }

    /// A client's connection without a session, and without hope of one, has no further use.
    func closeIfUseless() {
        guard case .client(let requests) = self.role, requests.isEmpty else { return }
        if self.sessions.isEmpty, self.settling.isEmpty { self.close() }
    }

    /// Kept when no session is ending, no response is under way, and a connection for a resource is closed.
    func settled() -> EventLoopFuture<Void> {
        let promise = self.eventLoop.makePromise(of: Void.self)
        self.settledPromises.append(promise)
        self.noteSettled()
        return promise.futureResult
    }

    func noteSettled() {
        guard self.settling.isEmpty, self.http3?.isSendingMessages != true else { return }
        if case .fetching = self.role, self.quic.isOpen { return }
        let promises = self.settledPromises
        self.settledPromises.removeAll()
        for promise in promises { promise.succeed() }
    }

    /// Gives up a CONNECT stream in both directions.
    func abortRequest(_ id: Int64, code: HTTP3ErrorCode) {
        let stream = StreamID(rawValue: id)
        // Else one that waited for a header field to be defined would still begin.
        self.http3?.stopReading(id)
        self.http3?.stopWriting(id)
        self.quic.stopSending(stream, code: code.rawValue)
        self.quic.reset(stream, code: code.rawValue)
        self.markDirty()
    }

    func reject(_ core: ReceiveStreamCore, code: UInt64) {
        core.rejected()
        if self.incoming[core.id] != nil { self.reject(core.id, code: code) }
    }

    /// Opens a stream, or waits until the peer allows one, in the session and on the connection.
    func openStream(_ opening: StreamOpening) {
        if !self.tryToOpenStream(opening) { self.openings.append(opening) }
    }

    /// The peer allows more streams.
    func serveOpenings(_ direction: StreamDirection) {
        while let first = self.openings.first(direction), self.tryToOpenStream(first) {
            _ = self.openings.popFirst(direction)
        }
    }

    func cancelOpening(_ ticket: WaitTicket, of session: SessionCore) {
        let opening = self.openings.remove { $0.ticket === ticket }.first ?? session.flow?.cancelOpening(ticket)
        opening?.promise.fail(CancellationError())
    }

    /// - Returns: false while the connection allows no more streams.
    private func tryToOpenStream(_ opening: StreamOpening) -> Bool {
        let (direction, session) = (opening.direction, opening.session)
        guard !opening.ticket.isCancelled else {
            opening.promise.fail(CancellationError())
            return true
        }
        guard session.isEstablished else {
            opening.promise.fail(WebTransportError.sessionClosed)
            return true
        }
        if let flow = session.flow, !flow.mayOpenStream(direction) {
            flow.wait(opening)
            return true
        }
        do {
            let core = try self.openStream(direction, of: session)
            session.flow?.streamOpened(direction)
            if direction == .bidirectional {
                let counterpart = ReceiveStreamCore(id: core.id, connection: self)
                if let flow = session.flow { counterpart.count(in: flow) }
                core.counterpart = counterpart
            }
            session.opened(core)
            opening.promise.succeed(OpenedStream(core))
            return true
        } catch  where error.code == .streamLimit {
            return false
        } catch {
            opening.promise.fail(WebTransportError(.connectionClosed, error.message))
            return true
        }
    }
}
