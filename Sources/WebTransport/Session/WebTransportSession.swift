public import HTTPTypes
import LoopConcurrency
public import NIOCore
import QUIC

/// A WebTransport session: streams and datagrams between a client and a server, on one QUIC connection
/// (draft-ietf-webtrans-http3; W3C WebTransport § 6).
///
/// A handle: copies refer to the same session. Its methods may be called from any task. They act at once on the
/// session's event loop, where a server's handlers run by default, and hop there from elsewhere.
public struct WebTransportSession: Sendable {
    /// The request that began the session: path, authority, origin and other header fields.
    public let request: HTTPRequest
    /// The response to it.
    public let response: HTTPResponse
    /// The application protocol that was agreed on, if any.
    public let subprotocol: String?
    /// The loop of the session's connection.
    public let eventLoop: any EventLoop

    private let core: NIOLoopBound<SessionCore>
    private let bidirectional: Mailbox<NIOLoopBound<ReceiveStreamCore>>
    private let unidirectional: Mailbox<NIOLoopBound<ReceiveStreamCore>>
    private let settledFuture: EventLoopFuture<Void>

    /// How a session ended.
    public enum End: Sendable, Hashable {
        /// This end closed it.
        case closedLocally(SessionClose)
        /// The peer closed it, with code 0 and no reason when it gave none.
        case closedByPeer(SessionClose)
        /// The connection was lost, or the peer broke the protocol; one sentence says what happened.
        case abnormal(String)
    }

    init(_ core: SessionCore) {
        self.request = core.request
        self.response = core.response
        self.subprotocol = core.subprotocol
        self.eventLoop = core.connection.eventLoop
        self.core = NIOLoopBound(core, eventLoop: self.eventLoop)
        self.bidirectional = core.incomingBidirectional
        self.unidirectional = core.incomingUnidirectional
        self.settledFuture = core.settled.futureResult
    }

    // MARK: Streams

    /// The bidirectional streams that the peer opens, in order. Iterate it once. It ends with the session.
    public var incomingBidirectionalStreams: IncomingBidirectionalStreams {
        IncomingBidirectionalStreams(base: self.bidirectional, session: self.core, eventLoop: self.eventLoop)
    }

    /// The unidirectional streams that the peer opens, in order. Iterate it once. It ends with the session.
    public var incomingUnidirectionalStreams: IncomingUnidirectionalStreams {
        IncomingUnidirectionalStreams(base: self.unidirectional, eventLoop: self.eventLoop)
    }

    /// Opens a stream that both ends send on. Suspends while the peer allows no more streams.
    /// - Throws: `WebTransportError` when the session has ended, `CancellationError` when the task was cancelled
    ///   meanwhile.
    public func openBidirectionalStream() async throws -> WebTransportBidirectionalStream {
        let stream = try await self.open(.bidirectional)
        guard let receiving = stream.receiving else { preconditionFailure("a bidirectional stream has two halves") }
        return WebTransportBidirectionalStream(
            inbound: WebTransportReceiveStream(
                core: receiving.core,
                mailbox: receiving.mailbox,
                eventLoop: self.eventLoop
            ),
            outbound: WebTransportSendStream(core: stream.sending, eventLoop: self.eventLoop)
        )
    }

    /// Opens a stream that this end sends on. Suspends while the peer allows no more streams.
    /// - Throws: `WebTransportError` when the session has ended, `CancellationError` when the task was cancelled
    ///   meanwhile.
    public func openUnidirectionalStream() async throws -> WebTransportSendStream {
        WebTransportSendStream(core: try await self.open(.unidirectional).sending, eventLoop: self.eventLoop)
    }

    private func open(_ direction: StreamDirection) async throws -> OpenedStream {
        let promise = self.eventLoop.makePromise(of: OpenedStream.self)
        let (core, ticket) = (self.core, WaitTicket())
        return try await withTaskCancellationHandler {
            self.eventLoop.runInLoop {
                let session = core.value
                session.connection.openStream(
                    StreamOpening(direction: direction, session: session, ticket: ticket, promise: promise)
                )
            }
            return try await promise.futureResult.get()
        } onCancel: {
            // On the loop: a stream that is opened is one that somebody gets.
            ticket.cancel()
            self.eventLoop.execute { core.value.connection.cancelOpening(ticket, of: core.value) }
        }
    }

    /// Waits for something that happens once, or for the task to be cancelled.
    private func wait<Value: Sendable>(
        for occurrence: @escaping @Sendable (SessionCore) -> Occurrence<Value>
    ) async throws -> Value {
        let (core, eventLoop, ticket) = (self.core, self.eventLoop, WaitTicket())
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                eventLoop.runInLoop { occurrence(core.value).wait(continuation, ticket: ticket) }
            }
        } onCancel: {
            ticket.cancel()
            eventLoop.execute { occurrence(core.value).cancelWait(ticket) }
        }
    }

    // MARK: Datagrams

    /// Datagrams in both directions.
    public var datagrams: WebTransportDatagrams {
        WebTransportDatagrams(core: self.core, eventLoop: self.eventLoop)
    }

    // MARK: Secrets

    /// Keying material that both ends of this session can compute and nobody else (draft-ietf-webtrans-http3 § 4.8).
    ///
    /// - Parameters:
    ///   - label: what it is for; at most 255 bytes of UTF-8.
    ///   - context: what else it shall depend on; at most 255 bytes.
    ///   - count: the number of bytes wanted, 1 to 8,160 (255 blocks of SHA-256, RFC 5869 § 2.3).
    /// - Throws: `WebTransportError` with `invalidArgument`, or when the connection has ended.
    public func exportKeyingMaterial(label: String, context: [UInt8] = [], count: Int) async throws -> [UInt8] {
        guard label.utf8.count <= 255, context.count <= 255, (1...8160).contains(count) else {
            throw WebTransportError(
                .invalidArgument,
                "keying material takes a label and a context of at most 255 bytes, and 1 to 8,160 bytes come of it"
            )
        }
        let core = self.core
        return try await self.eventLoop.submit {
            try core.value.exportKeyingMaterial(label: label, context: context, count: count)
        }.get()
    }

    // MARK: The end

    /// Closes the session. The peer learns code and reason; all its streams are reset. Idempotent.
    /// - Parameter reason: cut to 1,024 bytes of UTF-8.
    public func close(code: UInt32 = 0, reason: String = "") {
        let core = self.core
        self.eventLoop.runInLoop {
            core.value.close(SessionClose(code: code, reason: reason))
            core.value.connection.markDirty()
        }
    }

    /// Closes the session's connection, and whatever else it carries, with a code of HTTP/3 (RFC 9114 § 8.1): the peer
    /// learns of no close of the session.
    package func closeConnection(http3Code code: UInt64, reason: String = "") {
        let core = self.core
        self.eventLoop.runInLoop { core.value.connection.close(code: code, reason: reason) }
    }

    /// Asks the peer to finish soon (WT_DRAIN_SESSION). Nothing else changes.
    public func drain() {
        let core = self.core
        self.eventLoop.runInLoop { core.value.drain() }
    }

    /// Waits until the session has ended, and says how.
    /// - Throws: `CancellationError` when the task is cancelled first.
    public var closed: End {
        get async throws { try await self.wait { $0.ended } }
    }

    /// Waits until the peer asks this end to finish soon, or the session has ended.
    /// - Throws: `CancellationError` when the task is cancelled first.
    public var draining: Void {
        get async throws { try await self.wait { $0.draining } }
    }

    /// Waits until the peer has taken note of the end: closing the connection sooner would lose code and reason
    /// (draft-ietf-webtrans-http3 § 6).
    func settled(within limit: TimeAmount) async {
        let promise = self.eventLoop.makePromise(of: Void.self)
        let timeout = self.eventLoop.scheduleTask(in: limit) { promise.succeed() }
        self.settledFuture.whenComplete { _ in
            timeout.cancel()
            promise.succeed()
        }
        // It only ever succeeds.
        try? await promise.futureResult.get()
    }

    /// What is known of the connection's path now.
    public func statistics() async throws -> WebTransportStatistics {
        let core = self.core
        return try await self.eventLoop.submit {
            WebTransportStatistics(
                of: core.value.connection.quic,
                droppedIncomingDatagrams: core.value.datagrams.droppedCount
            )
        }.get()
    }
}

extension EventLoop {
    /// Runs work at once on the loop, or else hands it over.
    func runInLoop(_ work: @escaping @Sendable () -> Void) {
        if self.inEventLoop { work() } else { self.execute(work) }
    }
}
