public import NIOCore
import QUIC

/// The datagrams of a session (W3C WebTransport § 5): unreliable, unordered, never larger than a packet.
///
/// Iterate it to receive; of several tasks that do, each gets others. At most 256 wait; then the oldest gives way to the
/// newest. The sequence ends with the session.
public struct WebTransportDatagrams: AsyncSequence, Sendable {
    private let core: NIOLoopBound<SessionCore>
    private let eventLoop: any EventLoop

    /// What became of a datagram that was sent.
    public enum SendOutcome: Sendable, Hashable {
        /// It goes out as soon as congestion control allows.
        case queued
        /// It was queued, and the oldest of those that waited was dropped for it.
        case displacedOldest
        /// It is larger than `maxDatagramSize` and was dropped.
        case tooLarge
        /// The session has ended, or the peer takes no datagrams; it was dropped.
        case unavailable
    }

    init(core: NIOLoopBound<SessionCore>, eventLoop: any EventLoop) {
        self.core = core
        self.eventLoop = eventLoop
    }

    /// Sends a datagram. It never waits for the network, but lets the loop do so when the queue is full, and now and then:
    /// a task that sends without a pause must not keep it from its other work.
    @discardableResult
    public func send(_ payload: ByteBuffer) async throws -> SendOutcome {
        if self.eventLoop.inEventLoop {
            let outcome = self.core.value.send(datagram: payload)
            if outcome != .queued || self.core.value.isDueToPause() { await Task.yield() }
            return outcome
        }
        let core = self.core
        return try await self.eventLoop.submit { core.value.send(datagram: payload) }.get()
    }

    /// The largest payload that fits a packet on the present path, in bytes; zero when the peer takes none. It may grow
    /// as the path's MTU is discovered.
    public var maxDatagramSize: Int {
        get async throws {
            if self.eventLoop.inEventLoop { return self.core.value.maxDatagramSize }
            let core = self.core
            return try await self.eventLoop.submit { core.value.maxDatagramSize }.get()
        }
    }

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(core: self.core, eventLoop: self.eventLoop)
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        private let core: NIOLoopBound<SessionCore>
        private let eventLoop: any EventLoop

        fileprivate init(core: NIOLoopBound<SessionCore>, eventLoop: any EventLoop) {
            self.core = core
            self.eventLoop = eventLoop
        }

        public mutating func next() async -> ByteBuffer? {
            let core = self.core
            if self.eventLoop.inEventLoop, let ready = core.value.datagrams.poll() { return ready }
            let (eventLoop, ticket) = (self.eventLoop, WaitTicket())
            return await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    eventLoop.runInLoop { core.value.datagrams.wait(continuation, ticket: ticket) }
                }
            } onCancel: {
                ticket.cancel()
                eventLoop.execute { core.value.datagrams.cancelWait(ticket) }
            }
        }
    }
}

extension SessionCore {
    /// Datagrams in a row for which a task does not pause.
    private static let datagramBurst = 64

    /// Whether a task that sends should let others have a turn, which is so every `datagramBurst` times.
    fileprivate func isDueToPause() -> Bool {
        self.datagramsSincePause = (self.datagramsSincePause + 1) % Self.datagramBurst
        return self.datagramsSincePause == 0
    }

    fileprivate func send(datagram payload: ByteBuffer) -> WebTransportDatagrams.SendOutcome {
        guard self.isEstablished else { return .unavailable }
        let outcome = self.connection.quic.sendDatagram(header: self.datagramHeader, payload: payload)
        if outcome == .displacedOldest { self.connection.endpoint.counts.datagramsDroppedOutbound += 1 }
        self.connection.markDirty()
        return switch outcome {
        case .queued: .queued
        case .displacedOldest: .displacedOldest
        case .tooLarge: .tooLarge
        case .unavailable: .unavailable
        }
    }

    fileprivate var maxDatagramSize: Int {
        max(0, self.connection.quic.maxDatagramSize - self.datagramHeader.readableBytes)
    }
}
