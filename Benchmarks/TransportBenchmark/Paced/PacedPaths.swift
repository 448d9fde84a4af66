import NIOCore
import WebSocket
import WebTransport

/// Where echoes are noted.
typealias Arrivals = NIOLoopBound<ArrivalLog>

/// Binary messages on a WebSocket session, of all sequences.
struct PacedWebSocketPath: PacedPath {
    private let session: WebSocketSession

    /// Receives in a task of the group.
    init(_ session: WebSocketSession, arrivals: Arrivals, group: inout ThrowingDiscardingTaskGroup<any Error>) {
        self.session = session
        group.addTask {
            for await message in session.messages {
                switch message {
                case .binary(let bytes): arrivals.value.arrived(bytes, at: .now())
                case .text(let text): arrivals.value.arrived(ByteBuffer(string: text), at: .now())
                }
            }
            arrivals.value.fail(.ended("the WebSocket was closed"))
        }
    }

    @concurrent func send(_ message: ByteBuffer, of sequence: Int) async throws {
        try await self.session.send(binary: message)
    }
}

/// Datagrams, of all sequences.
struct PacedDatagramPath: PacedPath {
    private let datagrams: WebTransportDatagrams

    /// Receives in a task of the group.
    init(_ session: WebTransportSession, arrivals: Arrivals, group: inout ThrowingDiscardingTaskGroup<any Error>) {
        let datagrams = session.datagrams
        self.datagrams = datagrams
        group.addTask {
            for await datagram in datagrams { arrivals.value.arrived(datagram, at: .now()) }
            arrivals.value.fail(.ended("no more datagrams come"))
        }
    }

    @concurrent func send(_ message: ByteBuffer, of sequence: Int) async throws {
        switch try await self.datagrams.send(message) {
        case .queued, .displacedOldest: break
        case .tooLarge:
            throw BenchmarkError.tooLarge(message.readableBytes, limit: try await self.datagrams.maxDatagramSize)
        case .unavailable: throw BenchmarkError.ended("datagrams cannot be sent any more")
        }
    }
}

/// Bidirectional streams that stay open: one for all sequences, or one for each.
struct PacedStreamsPath: PacedPath {
    private let streams: [WebTransportSendStream]

    /// Opens the streams, and receives on each in a task of the group.
    init(
        _ session: WebTransportSession,
        streams count: Int,
        messages: PacedMessages,
        arrivals: Arrivals,
        group: inout ThrowingDiscardingTaskGroup<any Error>
    ) async throws {
        var streams: [WebTransportSendStream] = []
        for _ in 0..<count {
            let stream = try await session.openBidirectionalStream()
            streams.append(stream.outbound)
            group.addTask {
                var received = StreamMessages(messages)
                for try await bytes in stream.inbound {
                    let now = NIODeadline.now()
                    received.append(bytes)
                    while let message = received.next() { arrivals.value.arrived(message, at: now) }
                }
                arrivals.value.fail(.ended("the server finished a stream"))
            }
        }
        self.streams = streams
    }

    @concurrent func send(_ message: ByteBuffer, of sequence: Int) async throws {
        try await self.streams[sequence % self.streams.count].write(message)
    }
}

/// A bidirectional stream for each message, which both sides end.
struct PacedStreamPerMessagePath: PacedPath {
    private let session: WebTransportSession
    private let arrivals: Arrivals
    private let outgoing: AsyncStream<ByteBuffer>.Continuation

    /// Opens, writes and reads each stream in a task of its own: one that waits for leave to open holds up no other.
    init(
        _ session: WebTransportSession,
        messages: PacedMessages,
        arrivals: Arrivals,
        group: inout ThrowingDiscardingTaskGroup<any Error>
    ) {
        let (waiting, outgoing) = AsyncStream<ByteBuffer>.makeStream()
        (self.session, self.arrivals, self.outgoing) = (session, arrivals, outgoing)
        group.addTask {
            try await withThrowingDiscardingTaskGroup { group in
                for await message in waiting {
                    group.addTask { try await Self.exchange(message, of: messages, on: session, arrivals) }
                }
            }
        }
    }

    @concurrent func send(_ message: ByteBuffer, of sequence: Int) async throws {
        self.outgoing.yield(message)
    }

    @concurrent private static func exchange(
        _ message: ByteBuffer,
        of messages: PacedMessages,
        on session: WebTransportSession,
        _ arrivals: Arrivals
    ) async throws {
        let stream = try await session.openBidirectionalStream()
        try await stream.outbound.write(message)
        stream.outbound.finish()
        var received = StreamMessages(messages)
        for try await bytes in stream.inbound { received.append(bytes) }
        let now = NIODeadline.now()
        // A stream that was cut short has no whole message.
        arrivals.value.arrived(received.next() ?? ByteBuffer(), at: now)
    }
}

/// A path for the messages that have their times, and a stream for a bulk transfer on the same session.
struct BesideBulkPath<Path: PacedPath>: PacedPath {
    let path: Path
    let bulk: PacedStreamsPath
    let bulkSequence: Int

    @concurrent func send(_ message: ByteBuffer, of sequence: Int) async throws {
        if sequence == self.bulkSequence {
            try await self.bulk.send(message, of: 0)
        } else {
            try await self.path.send(message, of: sequence)
        }
    }
}
