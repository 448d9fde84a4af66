import LoopConcurrency
public import NIOCore
import WebTransportCore

/// A stream that both ends send on.
public struct WebTransportBidirectionalStream: Sendable {
    /// What the peer sends.
    public let inbound: WebTransportReceiveStream
    /// What this end sends.
    public let outbound: WebTransportSendStream

    init(inbound: WebTransportReceiveStream, outbound: WebTransportSendStream) {
        self.inbound = inbound
        self.outbound = outbound
    }
}

/// The half of a stream that this end sends on (W3C WebTransport § 7).
///
/// It stays open until `finish`, `reset`, or the end of the session.
public struct WebTransportSendStream: Sendable {
    private let core: NIOLoopBound<SendStreamCore>
    private let eventLoop: any EventLoop

    init(core: NIOLoopBound<SendStreamCore>, eventLoop: any EventLoop) {
        self.core = core
        self.eventLoop = eventLoop
    }

    /// Queues bytes, in order. Suspends while more than a mebibyte waits to be acknowledged.
    /// - Throws: `WebTransportError` when the peer stopped the stream, it was finished, or the session has ended;
    ///   `CancellationError` when the task was cancelled while it waited (the bytes are sent all the same).
    public func write(_ bytes: ByteBuffer) async throws {
        let core = self.core
        if self.eventLoop.inEventLoop, try core.value.write(bytes) { return }
        let isWritten = self.eventLoop.inEventLoop
        let (eventLoop, ticket) = (self.eventLoop, WaitTicket())
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                eventLoop.runInLoop {
                    do {
                        if !isWritten, try core.value.write(bytes) {
                            continuation.resume()
                        } else {
                            core.value.wait(continuation, ticket: ticket)
                        }
                    } catch {
                        continuation.resume(throwing: error)
                    }
                }
            }
        } onCancel: {
            ticket.cancel()
            eventLoop.execute { core.value.cancelWait(ticket) }
        }
    }

    /// Ends the stream: the peer receives all that was written, then its end. Idempotent.
    public func finish() {
        let core = self.core
        self.eventLoop.runInLoop { core.value.finish() }
    }

    /// Ends the stream, and waits until the peer has all of it; of a bidirectional one until both halves have ended.
    /// - Throws: `WebTransportError` when the peer stopped the stream instead, or the session has ended.
    package func finishAndWait() async throws {
        let core = self.core
        try await self.eventLoop.flatSubmit {
            core.value.finish()
            return core.value.ended()
        }.get()
    }

    /// Gives the stream up with an application's code; what was written may be lost. Idempotent.
    public func reset(code: UInt32 = 0) {
        let core = self.core
        self.eventLoop.runInLoop { core.value.reset(code: code) }
    }

    /// Gives the stream up with a code of HTTP/3's own, which tells an application nothing: for tests of peers.
    package func reset(http3Code code: UInt64) {
        let core = self.core
        self.eventLoop.runInLoop { core.value.reset(wireCode: code) }
    }
}

/// The half of a stream that the peer sends on (W3C WebTransport § 8): its bytes in chunks, as they arrive.
///
/// One task at a time iterates it; who has stopped may go on. Taking a chunk lets the peer send as much again: a slow reader
/// slows the peer down. Whoever lets go of the stream before its end gives it up, as `stop` does, and so does a task that
/// is cancelled while it waits.
public struct WebTransportReceiveStream: AsyncSequence, Sendable {
    private let core: NIOLoopBound<ReceiveStreamCore>
    private let mailbox: Mailbox<ReceiveStreamCore.Item>
    private let eventLoop: any EventLoop

    /// - Precondition: on the stream's loop.
    init(_ core: NIOLoopBound<ReceiveStreamCore>, eventLoop: any EventLoop) {
        self.core = core
        self.mailbox = core.value.handOut()
        self.eventLoop = eventLoop
    }

    init(core: NIOLoopBound<ReceiveStreamCore>, mailbox: Mailbox<ReceiveStreamCore.Item>, eventLoop: any EventLoop) {
        self.core = core
        self.mailbox = mailbox
        self.eventLoop = eventLoop
    }

    /// Gives the stream up with an application's code (STOP_SENDING). Idempotent.
    public func stop(code: UInt32 = 0) {
        let core = self.core
        self.eventLoop.runInLoop { core.value.stop(code: code) }
    }

    /// Gives the stream up with a code of HTTP/3's own, which tells an application nothing: for tests of peers.
    package func stop(http3Code code: UInt64) {
        let core = self.core
        self.eventLoop.runInLoop { core.value.stop(wireCode: code) }
    }

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(base: self.mailbox.makeAsyncIterator(), core: self.core, eventLoop: self.eventLoop)
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        private var base: Mailbox<ReceiveStreamCore.Item>.AsyncIterator
        private let core: NIOLoopBound<ReceiveStreamCore>
        private let eventLoop: any EventLoop

        fileprivate init(
            base: Mailbox<ReceiveStreamCore.Item>.AsyncIterator,
            core: NIOLoopBound<ReceiveStreamCore>,
            eventLoop: any EventLoop
        ) {
            self.base = base
            self.core = core
            self.eventLoop = eventLoop
        }

        /// - Throws: `WebTransportError` with `streamReset` when the peer gave up, or `sessionClosed`.
        @concurrent public mutating func next() async throws -> ByteBuffer? {
            switch await self.base.next() {
            case .data(let bytes):
                let (core, count) = (self.core, bytes.readableBytes)
                self.eventLoop.runInLoop { core.value.consumed(count) }
                return bytes
            case .failed(let error):
                throw error
            case nil:
                return nil
            }
        }
    }
}
