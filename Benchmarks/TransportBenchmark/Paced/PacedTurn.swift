import NIOCore
import WebSocket
import WebTransport

/// One session, open for one turn of messages at fixed times.
struct PacedTurn: Sendable {
    let kind: TransportKind
    let load: PacedLoad
    let size: Int
    /// How long to wait for echoes after the last message.
    let patience: TimeAmount
    let opener: SessionOpener
    let eventLoop: any EventLoop

    /// Between the opening of the session and the first message.
    private static let lead = TimeAmount.milliseconds(20)

    /// Opens the session, sends everything at its time, waits for what comes back, and closes it.
    /// - Throws: `BenchmarkError` when the session ends or an echo differs; `CancellationError`.
    @concurrent func run() async throws -> PacedOutcome {
        let (load, messages, loop) = (self.load, EchoMessage(size: self.size), self.eventLoop)
        let log = try await loop.submit {
            Arrivals(ArrivalLog(load, messages: messages, eventLoop: loop), eventLoop: loop)
        }.get()
        switch self.kind {
        case .webSocket:
            let session = try await self.opener.openWebSocket()
            defer { session.close() }
            try await self.send(messages, log) { PacedWebSocketPath(session, arrivals: log, group: &$0) }
        case .webTransportDatagram:
            try await self.opener.withWebTransport { session in
                try await self.send(messages, log) { PacedDatagramPath(session, arrivals: log, group: &$0) }
            }
        case .webTransportStream, .webTransportStreamPerSequence:
            let count = self.kind == .webTransportStream ? 1 : load.sequences
            try await self.opener.withWebTransport { session in
                try await self.send(messages, log) {
                    try await PacedStreamsPath(
                        session,
                        streams: count,
                        messageSize: self.size,
                        arrivals: log,
                        group: &$0
                    )
                }
            }
        case .webTransportStreamPerMessage:
            try await self.opener.withWebTransport { session in
                try await self.send(messages, log) { PacedStreamPerMessagePath(session, arrivals: log, group: &$0) }
            }
        }
        return log.value.outcome
    }

    /// Sends each message when it is due. What receives belongs to the task group that `open` gets.
    @concurrent private func send(
        _ messages: EchoMessage,
        _ log: Arrivals,
        over open: @Sendable (inout ThrowingDiscardingTaskGroup<any Error>) async throws -> some PacedPath
    ) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            defer { group.cancelAll() }
            let path = try await open(&group)
            log.value.begin(at: .now() + Self.lead)
            for number in 0..<self.load.count {
                try Task.checkCancellation()
                try await self.eventLoop.sleep(until: log.value.due(number))
                try log.value.sending(at: .now())
                try await path.send(messages.make(UInt64(number)), of: self.load.sequence(of: number))
            }
            let (patience, loop) = (self.patience, self.eventLoop)
            try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { log.value.awaitAll(within: patience, $0) }
            } onCancel: {
                loop.execute { log.value.fail(.ended("it was cancelled")) }
            }
        }
    }
}

extension EventLoop {
    /// Returns when it is that late, at once if it is.
    /// - Throws: `CancellationError`, at once.
    fileprivate func sleep(until time: NIODeadline) async throws {
        guard time > .now() else { return }
        let alarm = self.scheduleTask(deadline: time) {}
        do {
            try await withTaskCancellationHandler {
                try await alarm.futureResult.get()
            } onCancel: {
                alarm.cancel()
            }
        } catch {
            try Task.checkCancellation()
            throw error
        }
    }
}
