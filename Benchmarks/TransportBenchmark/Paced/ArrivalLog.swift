import NIOCore

/// When the messages of a turn were sent and came back. It belongs to the session's loop.
final class ArrivalLog {
    private enum State {
        case receiving
        /// All were sent; somebody waits for what is still to come.
        case awaited(CheckedContinuation<Void, any Error>, timeout: Scheduled<Void>)
        /// Nothing counts any more.
        case ended
        case failed(any Error)
    }

    private let load: PacedLoad
    private let messages: PacedMessages
    private let eventLoop: any EventLoop
    private var state = State.receiving
    private var begin = NIODeadline.now()
    private var ages: [UInt64?]
    private var lateness: [UInt64] = []
    private var missing: Int
    /// Of the bulk transfer, while messages counted, and in all.
    private var bulkByteCount = 0
    private var wholeBulkByteCount = 0

    init(_ load: PacedLoad, messages: PacedMessages, eventLoop: any EventLoop) {
        self.load = load
        self.messages = messages
        self.eventLoop = eventLoop
        self.ages = Array(repeating: nil, count: load.count)
        self.missing = load.count
    }

    var outcome: PacedOutcome {
        PacedOutcome(
            load: self.load,
            ages: self.ages,
            lateness: self.lateness,
            bulkByteCount: self.bulkByteCount,
            wholeBulkByteCount: self.wholeBulkByteCount
        )
    }

    /// The first message is due at this time.
    func begin(at begin: NIODeadline) {
        self.begin = begin
    }

    /// When a message is due.
    func due(_ number: Int) -> NIODeadline { self.begin + self.load.due(number) }

    /// The next message is about to be sent.
    /// - Throws: what `fail` was called with.
    func sending(at now: NIODeadline) throws {
        if case .failed(let error) = self.state { throw error }
        self.lateness.append(Self.nanoseconds(from: self.due(self.lateness.count), to: now))
    }

    /// Something came back. What comes twice, as datagrams may, counts once.
    func arrived(_ echo: ByteBuffer, at now: NIODeadline) {
        if let number = self.messages.bulkNumber(of: echo) {
            guard echo == self.messages.bulk(number) else {
                self.fail(.mismatch(sent: self.messages.bulk(number), received: echo))
                return
            }
            self.wholeBulkByteCount += echo.readableBytes
            if self.due(self.load.firstCounted) <= now, now < self.due(self.load.count) {
                self.bulkByteCount += echo.readableBytes
            }
            return
        }
        guard let number = EchoMessage.number(of: echo).flatMap({ Int(exactly: $0) }), number < self.lateness.count,
            echo == self.messages.make(UInt64(number))
        else {
            self.fail(.mismatch(sent: self.messages.make(0), received: echo))
            return
        }
        guard self.ages[number] == nil else { return }
        self.ages[number] = Self.nanoseconds(from: self.due(number), to: now)
        self.missing -= 1
        if self.missing == 0, case .awaited(let continuation, let timeout) = self.state {
            self.state = .ended
            timeout.cancel()
            continuation.resume()
        }
    }

    /// The session, or the echo, is not what it must be.
    func fail(_ error: BenchmarkError) {
        switch self.state {
        case .receiving: self.state = .failed(error)
        case .awaited(let continuation, let timeout):
            self.state = .failed(error)
            timeout.cancel()
            continuation.resume(throwing: error)
        case .ended, .failed: break
        }
    }

    /// Resumes a continuation when all have come back, or after so long; with an error after `fail`.
    func awaitAll(within time: TimeAmount, _ continuation: CheckedContinuation<Void, any Error>) {
        switch self.state {
        case .receiving where self.missing == 0:
            self.state = .ended
            continuation.resume()
        case .receiving:
            let timeout = self.eventLoop.assumeIsolated().scheduleTask(in: time) { self.giveUp() }
            self.state = .awaited(continuation, timeout: timeout)
        case .failed(let error): continuation.resume(throwing: error)
        case .awaited, .ended: preconditionFailure("a turn is awaited once")
        }
    }

    private func giveUp() {
        guard case .awaited(let continuation, _) = self.state else { return }
        self.state = .ended
        continuation.resume()
    }

    private static func nanoseconds(from begin: NIODeadline, to end: NIODeadline) -> UInt64 {
        UInt64(max(0, (end - begin).nanoseconds))
    }
}
