import NIOCore
import WebTransport

/// Datagrams of a session. An echo that does not come within a time is lost; one that comes later still is dropped.
struct WebTransportDatagramPath: EchoPath {
    private let datagrams: WebTransportDatagrams
    private let pending: NIOLoopBound<PendingDatagram>

    /// Runs `body` with a path while another task receives.
    ///
    /// The receiving task takes the time of arrival: the path's own task may learn of it one turn of the loop later.
    /// - Parameter timeout: after which a datagram counts as lost; checked every tenth of it.
    @concurrent static func withPath(
        on session: WebTransportSession,
        timeout: TimeAmount,
        _ body: @concurrent @Sendable (inout WebTransportDatagramPath) async throws -> Void
    ) async throws {
        let loop = session.eventLoop
        let pending = try await loop.submit { NIOLoopBound(PendingDatagram(), eventLoop: loop) }.get()
        let interval = TimeAmount.nanoseconds(max(1, timeout.nanoseconds / 10))
        let clock = loop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            pending.value.expire(at: .now())
        }
        defer { clock.cancel() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await datagram in session.datagrams { pending.value.arrived(datagram, at: .now()) }
                pending.value.ended()
            }
            defer { group.cancelAll() }
            var path = WebTransportDatagramPath(datagrams: session.datagrams, pending: pending, timeout: timeout)
            try await body(&path)
        }
    }

    private let timeout: TimeAmount

    private init(datagrams: WebTransportDatagrams, pending: NIOLoopBound<PendingDatagram>, timeout: TimeAmount) {
        self.datagrams = datagrams
        self.pending = pending
        self.timeout = timeout
    }

    @concurrent mutating func roundTrip(_ message: ByteBuffer) async throws -> Echo {
        guard let number = EchoMessage.number(of: message) else {
            preconditionFailure("a message begins with its number")
        }
        self.pending.value.expect(number, until: .now() + self.timeout)
        switch try await self.datagrams.send(message) {
        case .queued, .displacedOldest: break
        case .tooLarge:
            throw BenchmarkError.tooLarge(message.readableBytes, limit: try await self.datagrams.maxDatagramSize)
        case .unavailable: throw BenchmarkError.ended("datagrams cannot be sent any more")
        }
        let pending = self.pending
        return try await withCheckedThrowingContinuation { pending.value.wait($0) }
    }
}

extension BenchmarkError {
    static func tooLarge(_ size: Int, limit: Int) -> Self {
        let advice =
            limit == 0
            ? "the server takes no datagrams" : "the path to the server takes datagrams of \(limit) bytes at most"
        return Self(
            .usage,
            "--size \(size) does not fit a datagram: \(advice); choose a smaller size or leave wt-datagram out of "
                + "--transports"
        )
    }
}

/// The one datagram of a session that is on its way. It belongs to the session's loop.
private final class PendingDatagram {
    private enum State {
        case idle
        /// Sent, or about to be; nobody waits yet.
        case expected(UInt64, deadline: NIODeadline)
        case awaited(UInt64, deadline: NIODeadline, CheckedContinuation<Echo, any Error>)
        /// Decided before anybody waited.
        case decided(Echo)
        case ended
    }

    private var state = State.idle

    func expect(_ number: UInt64, until deadline: NIODeadline) {
        switch self.state {
        case .idle: self.state = .expected(number, deadline: deadline)
        case .ended: break
        case .expected, .awaited, .decided: preconditionFailure("one datagram is in flight at a time")
        }
    }

    func wait(_ continuation: CheckedContinuation<Echo, any Error>) {
        switch self.state {
        case .expected(let number, let deadline): self.state = .awaited(number, deadline: deadline, continuation)
        case .decided(let echo):
            self.state = .idle
            continuation.resume(returning: echo)
        case .ended: continuation.resume(throwing: BenchmarkError.ended("no more datagrams come"))
        case .idle, .awaited: preconditionFailure("a datagram is sent before it is waited for")
        }
    }

    func arrived(_ datagram: ByteBuffer, at now: NIODeadline) {
        let number = EchoMessage.number(of: datagram)
        switch self.state {
        // A lower number is the echo of one that counts as lost already.
        case .expected(let expected, _):
            if let number, number < expected { return }
            self.state = .decided(.received(datagram, at: now))
        case .awaited(let expected, _, let continuation):
            if let number, number < expected { return }
            self.state = .idle
            continuation.resume(returning: .received(datagram, at: now))
        case .idle, .decided, .ended: break
        }
    }

    func expire(at now: NIODeadline) {
        switch self.state {
        case .expected(_, let deadline) where deadline <= now:
            self.state = .decided(.lost)
        case .awaited(_, let deadline, let continuation) where deadline <= now:
            self.state = .idle
            continuation.resume(returning: .lost)
        case .idle, .expected, .awaited, .decided, .ended: break
        }
    }

    func ended() {
        let state = self.state
        self.state = .ended
        if case .awaited(_, _, let continuation) = state {
            continuation.resume(throwing: BenchmarkError.ended("no more datagrams come"))
        }
    }
}
