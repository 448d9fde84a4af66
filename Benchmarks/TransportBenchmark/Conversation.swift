import Logging
import LoopConcurrency
import NIOCore
import WebSocket
import WebTransport

/// One session that takes its turns: a task that owns the session, and a queue of what it is asked to measure.
struct Conversation: Sendable {
    /// So many round trips, and who wants to know.
    private struct Assignment: Sendable {
        let count: Int
        let reply: CheckedContinuation<TurnResult, any Error>
    }

    private let assignments: AsyncStream<Assignment>
    private let source: AsyncStream<Assignment>.Continuation
    private let kind: TransportKind
    private let opener: SessionOpener
    private let settings: BenchmarkSettings

    init(_ kind: TransportKind, opener: SessionOpener, settings: BenchmarkSettings) {
        // Only ever one waits: whoever assigns waits for the reply.
        (self.assignments, self.source) = AsyncStream.makeStream()
        self.kind = kind
        self.opener = opener
        self.settings = settings
    }

    /// Makes round trips, and gives their durations. It is answered once the session is open; zero round trips ask for
    /// no more than that.
    @concurrent func measure(_ count: Int) async throws -> TurnResult {
        try await withCheckedThrowingContinuation { continuation in
            switch self.source.yield(Assignment(count: count, reply: continuation)) {
            case .enqueued: break
            case .dropped, .terminated:
                continuation.resume(throwing: BenchmarkError.ended("it was lost between two rounds"))
            @unknown default:
                continuation.resume(throwing: BenchmarkError.ended("it takes no more work"))
            }
        }
    }

    /// Lets `run` return.
    func finish() {
        self.source.finish()
    }

    /// Opens the session and serves assignments until `finish` or an error, which the one who waits gets.
    @concurrent func run() async {
        var end: any Error = BenchmarkError.ended("it was lost between two rounds")
        do {
            try await self.converse()
        } catch {
            end = error
        }
        // Nobody is left waiting for an answer.
        self.source.finish()
        for await assignment in self.assignments { assignment.reply.resume(throwing: end) }
    }

    @concurrent private func converse() async throws {
        switch self.kind {
        case .webSocket, .webSocketHTTP2, .webSocketHTTP3:
            try await self.opener.withWebSocket(self.kind.family) { session in
                var path = WebSocketPath(session)
                try await self.serve(&path)
            }
        case .webTransportDatagram:
            try await self.opener.withWebTransport { session in
                let limit = try await session.datagrams.maxDatagramSize
                guard self.settings.size <= limit else {
                    throw BenchmarkError.tooLarge(self.settings.size, limit: limit)
                }
                try await WebTransportDatagramPath.withPath(on: session, timeout: self.settings.datagramTimeout) {
                    try await self.serve(&$0)
                }
            }
        // With one message in flight there is one sequence.
        case .webTransportStream, .webTransportStreamPerSequence:
            try await self.opener.withWebTransport { session in
                var path = WebTransportStreamPath(try await session.openBidirectionalStream())
                try await self.serve(&path)
            }
        case .webTransportStreamPerMessage:
            try await self.opener.withWebTransport { session in
                var path = WebTransportStreamPerMessagePath(session)
                try await self.serve(&path)
            }
        }
    }

    @concurrent private func serve(_ path: inout some EchoPath) async throws {
        let messages = EchoMessage(size: self.settings.size)
        var number: UInt64 = 1
        for await assignment in self.assignments {
            do {
                let result = try await path.roundTrips(assignment.count, of: messages, from: number)
                number += UInt64(assignment.count)
                assignment.reply.resume(returning: result)
            } catch {
                assignment.reply.resume(throwing: error)
                throw error
            }
        }
    }
}
