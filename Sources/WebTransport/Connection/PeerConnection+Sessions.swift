import DequeModule
import HTTP3
import LoopConcurrency
import NIOCore
import QUIC
import WebTransportCore

// What sessions ask of their connection.

extension PeerConnection {
    func sessionEnded(_ session: SessionCore) {
        guard self.sessions.removeValue(forKey: session.id) != nil else { return }
        self.remember(endedSession: session.id)
        self.settling[session.id] = session
        // Whoever waits to open a stream of it learns that it has ended.
        self.wakeStreamWaiters(.bidirectional)
        self.wakeStreamWaiters(.unidirectional)
        if case .server(let context) = self.role {
            self.endpoint.counts.sessions -= 1
            context.sessions.release()
        }
        self.updateReaping()
        self.markDirty()
    }

    /// A session's CONNECT stream has closed, and nothing of the session is under way any more. A client's connection
    /// has no further use.
    func settle(_ id: Int64) {
        guard let session = self.settling.removeValue(forKey: id) else { return }
        session.peerKnowsOfEnd()
        session.settled.succeed()
        self.noteSettled()
        if case .client = self.role { self.close() }
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
        self.http3?.stopWriting(id)
        self.quic.stopSending(stream, code: code.rawValue)
        self.quic.reset(stream, code: code.rawValue)
        self.markDirty()
    }

    func reject(_ core: ReceiveStreamCore, code: UInt64) {
        core.ended(.gone)
        if let stream = self.incoming[core.id] { self.reject(stream, core.id, code: code) }
    }

    /// Opens a stream, or waits until the peer allows one.
    func openStream(
        _ direction: StreamDirection,
        of session: SessionCore,
        ticket: WaitTicket,
        promise: EventLoopPromise<OpenedStream>
    ) {
        guard !ticket.isCancelled else {
            promise.fail(CancellationError())
            // Whoever comes next must not wait for a place that nobody takes.
            self.wakeStreamWaiters(direction)
            return
        }
        guard session.isEstablished else {
            promise.fail(WebTransportError.sessionClosed)
            return
        }
        do {
            let core = try self.openStream(direction, of: session)
            if direction == .bidirectional { core.counterpart = ReceiveStreamCore(id: core.id, connection: self) }
            session.opened(core)
            promise.succeed(OpenedStream(core))
        } catch  where error.code == .streamLimit {
            let available = self.eventLoop.makePromise(of: Void.self)
            self.streamWaiters[direction, default: []].append(available)
            let bound = NIOLoopBound((self, session), eventLoop: self.eventLoop)
            available.futureResult.whenComplete { result in
                switch result {
                case .success:
                    bound.value.0.openStream(direction, of: bound.value.1, ticket: ticket, promise: promise)
                case .failure(let error): promise.fail(error)
                }
            }
        } catch {
            promise.fail(WebTransportError(.connectionClosed, error.message))
        }
    }
}

/// A stream that this end has opened, on its way to another thread.
struct OpenedStream: Sendable {
    let sending: NIOLoopBound<SendStreamCore>
    let receiving: (core: NIOLoopBound<ReceiveStreamCore>, mailbox: Mailbox<ReceiveStreamCore.Item>)?

    init(_ core: SendStreamCore) {
        let eventLoop = core.connection.eventLoop
        self.sending = NIOLoopBound(core, eventLoop: eventLoop)
        self.receiving = core.counterpart.map { (NIOLoopBound($0, eventLoop: eventLoop), $0.handOut()) }
    }
}
