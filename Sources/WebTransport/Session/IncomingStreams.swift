import LoopConcurrency
import NIOCore

/// The bidirectional streams that a peer opens, in order. One task at a time iterates it; who has stopped may go on.
///
/// A peer may open as many streams as the connection allows at once; when one has closed and its data was read to the
/// end or given up here, it may open another.
public struct IncomingBidirectionalStreams: AsyncSequence, Sendable {
    private let base: Mailbox<NIOLoopBound<ReceiveStreamCore>>
    private let session: NIOLoopBound<SessionCore>
    private let eventLoop: any EventLoop

    init(
        base: Mailbox<NIOLoopBound<ReceiveStreamCore>>,
        session: NIOLoopBound<SessionCore>,
        eventLoop: any EventLoop
    ) {
        self.base = base
        self.session = session
        self.eventLoop = eventLoop
    }

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(base: self.base.makeAsyncIterator(), session: self.session, eventLoop: self.eventLoop)
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        private var base: Mailbox<NIOLoopBound<ReceiveStreamCore>>.AsyncIterator
        private let session: NIOLoopBound<SessionCore>
        private let eventLoop: any EventLoop

        fileprivate init(
            base: Mailbox<NIOLoopBound<ReceiveStreamCore>>.AsyncIterator,
            session: NIOLoopBound<SessionCore>,
            eventLoop: any EventLoop
        ) {
            self.base = base
            self.session = session
            self.eventLoop = eventLoop
        }

        @concurrent public mutating func next() async -> WebTransportBidirectionalStream? {
            guard let core = await self.base.next() else { return nil }
            let (session, eventLoop) = (self.session, self.eventLoop)
            return await eventLoop.value {
                let outbound = session.value.reply(to: core.value)
                return WebTransportBidirectionalStream(
                    inbound: WebTransportReceiveStream(core, eventLoop: eventLoop),
                    outbound: WebTransportSendStream(core: outbound, eventLoop: eventLoop)
                )
            }
        }
    }
}

/// The unidirectional streams that a peer opens, in order. One task at a time iterates it; who has stopped may go on.
public struct IncomingUnidirectionalStreams: AsyncSequence, Sendable {
    private let base: Mailbox<NIOLoopBound<ReceiveStreamCore>>
    private let eventLoop: any EventLoop

    init(base: Mailbox<NIOLoopBound<ReceiveStreamCore>>, eventLoop: any EventLoop) {
        self.base = base
        self.eventLoop = eventLoop
    }

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(base: self.base.makeAsyncIterator(), eventLoop: self.eventLoop)
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        private var base: Mailbox<NIOLoopBound<ReceiveStreamCore>>.AsyncIterator
        private let eventLoop: any EventLoop

        fileprivate init(base: Mailbox<NIOLoopBound<ReceiveStreamCore>>.AsyncIterator, eventLoop: any EventLoop) {
            self.base = base
            self.eventLoop = eventLoop
        }

        @concurrent public mutating func next() async -> WebTransportReceiveStream? {
            guard let core = await self.base.next() else { return nil }
            let eventLoop = self.eventLoop
            return await eventLoop.value { WebTransportReceiveStream(core, eventLoop: eventLoop) }
        }
    }
}

extension SessionCore {
    fileprivate func reply(to core: ReceiveStreamCore) -> NIOLoopBound<SendStreamCore> {
        let outbound = self.connection.replyStream(to: core.id, of: self)
        self.replying(outbound)
        return NIOLoopBound(outbound, eventLoop: self.connection.eventLoop)
    }
}

extension EventLoop {
    /// Computes a value on the loop: at once when called there.
    fileprivate func value<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        if self.inEventLoop { return work() }
        return await withCheckedContinuation { continuation in
            self.execute { continuation.resume(returning: work()) }
        }
    }
}
