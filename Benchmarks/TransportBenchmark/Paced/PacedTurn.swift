import NIOCore
import WebSocket
import WebTransport

/// One session, open for one turn of messages at fixed times.
struct PacedTurn: Sendable {
    let kind: TransportKind
    let load: PacedLoad
    let messages: PacedMessages
    /// How long to wait for echoes after the last message.
    let patience: TimeAmount
    let opener: SessionOpener
    let eventLoop: any EventLoop
    /// Where the sessions of the turn wait for each other when all is open, and when all has come back.
    let begin: NIOLoopBound<Rendezvous>
    let end: NIOLoopBound<Rendezvous>

    /// Between the opening of the sessions and the first message.
    private static let lead = TimeAmount.milliseconds(20)

    /// Opens the session, sends everything at its time, waits for what comes back, and closes it.
    /// - Throws: `BenchmarkError` when the session ends or an echo differs; `CancellationError`.
    @concurrent func run() async throws -> PacedOutcome {
        let (load, messages, loop) = (self.load, self.messages, self.eventLoop)
        let log = try await loop.submit {
            Arrivals(ArrivalLog(load, messages: messages, eventLoop: loop), eventLoop: loop)
        }.get()
        switch self.kind {
        case .webSocket, .webSocketHTTP2, .webSocketHTTP3:
            try await self.opener.withWebSocket(self.kind.family) { session in
                try await self.send(log) { PacedWebSocketPath(session, arrivals: log, group: &$0) }
            }
        case .webTransportDatagram:
            try await self.opener.withWebTransport { session in
                try await self.send(log, besideBulkOn: session) {
                    PacedDatagramPath(session, arrivals: log, group: &$0)
                }
            }
        case .webTransportStream, .webTransportStreamPerSequence:
            let sequences = load.bulkSize == nil ? load.sequences : load.bulkSequence + 1
            try await self.opener.withWebTransport { session in
                try await self.send(log) {
                    try await PacedStreamsPath(
                        session,
                        streams: self.kind == .webTransportStream ? 1 : sequences,
                        messages: messages,
                        arrivals: log,
                        group: &$0
                    )
                }
            }
        case .webTransportStreamPerMessage:
            try await self.opener.withWebTransport { session in
                try await self.send(log, besideBulkOn: session) {
                    PacedStreamPerMessagePath(session, messages: messages, arrivals: log, group: &$0)
                }
            }
        }
        return log.value.outcome
    }

    /// Sends each message when it is due, over a path that has no place for a bulk transfer: that has a stream of its own.
    @concurrent private func send(
        _ log: Arrivals,
        besideBulkOn session: WebTransportSession,
        over open: @Sendable (inout ThrowingDiscardingTaskGroup<any Error>) async throws -> some PacedPath
    ) async throws {
        guard self.load.bulkSize != nil else { return try await self.send(log, over: open) }
        try await self.send(log) {
            BesideBulkPath(
                path: try await open(&$0),
                bulk: try await PacedStreamsPath(
                    session,
                    streams: 1,
                    messages: self.messages,
                    arrivals: log,
                    group: &$0
                ),
                bulkSequence: self.load.bulkSequence
            )
        }
    }

    /// Sends each message when it is due. What receives belongs to the task group that `open` gets.
    @concurrent private func send(
        _ log: Arrivals,
        over open: @Sendable (inout ThrowingDiscardingTaskGroup<any Error>) async throws -> some PacedPath
    ) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            defer { group.cancelAll() }
            let path = try await open(&group)
            try await self.begin.arrive(on: self.eventLoop)
            log.value.begin(at: .now() + Self.lead)
            try await withThrowingTaskGroup(of: Void.self) { bulk in
                if self.load.bulkSize != nil { bulk.addTask { try await self.transferBulk(over: path) } }
                try await self.sendAll(log, over: path)
                bulk.cancelAll()
                // It has ended by itself if its session has.
                while let result = await bulk.nextResult() {
                    if case .failure(let error) = result, !(error is CancellationError) { throw error }
                }
            }
            let (patience, loop) = (self.patience, self.eventLoop)
            try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { log.value.awaitAll(within: patience, $0) }
            } onCancel: {
                loop.execute { log.value.fail(.ended("it was cancelled")) }
            }
            try await self.end.arrive(on: self.eventLoop)
        }
    }

    @concurrent private func sendAll(_ log: Arrivals, over path: some PacedPath) async throws {
        for number in 0..<self.load.count {
            try Task.checkCancellation()
            try await self.eventLoop.sleep(until: log.value.due(number))
            try log.value.sending(at: .now())
            try await path.send(self.messages.make(UInt64(number)), of: self.load.sequence(of: number))
        }
    }

    /// Sends as fast as the session takes it, until the task is cancelled.
    @concurrent private func transferBulk(over path: some PacedPath) async throws {
        var number: UInt64 = 0
        while !Task.isCancelled {
            try await path.send(self.messages.bulk(number), of: self.load.bulkSequence)
            number += 1
            // One loop serves all: the session takes a message at once as long as it has room.
            await Task.yield()
        }
    }
}
