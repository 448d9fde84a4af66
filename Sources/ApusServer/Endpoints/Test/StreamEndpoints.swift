import NIOCore
import WebTransport

/// `/test/streams?count=N`: opens N streams of each kind, each of which says which one it is.
struct StreamsEndpoint: TestEndpoint {
    func parameters(_ query: Query) throws(Query.Invalid) -> Int {
        try query.allow("count")
        return try query.integer("count", in: 0...1000, default: 1)
    }

    func serve(_ session: WebTransportSession, _ count: Int) async throws {
        for number in 0..<count {
            let text = ByteBuffer(string: "stream \(number)")
            let bidirectional = try await session.openBidirectionalStream()
            try await bidirectional.outbound.write(text)
            bidirectional.outbound.finish()
            let unidirectional = try await session.openUnidirectionalStream()
            try await unidirectional.write(text)
            unidirectional.finish()
        }
        _ = try await session.closed
    }
}

/// `/test/datagram-lengths`: answers each datagram with its length in bytes, as text in a datagram.
struct DatagramLengthsEndpoint: TestEndpoint {
    func parameters(_ query: Query) throws(Query.Invalid) {
        try query.allow()
    }

    func serve(_ session: WebTransportSession, _ parameters: Void) async throws {
        for await datagram in session.datagrams {
            try await session.datagrams.send(ByteBuffer(string: String(datagram.readableBytes)))
        }
    }
}

/// `/test/order?streams=N`: reads N unidirectional streams of the client's, each of which begins with a byte that names
/// it, and answers in which order their bytes arrived, as JSON on a unidirectional stream.
struct OrderEndpoint: TestEndpoint {
    private struct Answer: Encodable {
        struct Run: Encodable {
            var stream: Int
            var bytes: Int
        }
        /// Bytes of one stream that arrived without another's in between.
        var arrivals: [Run] = []
        /// The streams' names as they ended.
        var ends: [Int] = []
    }

    /// A client's streams may take turns for as long as it likes.
    private static let maxArrivals = 65_536

    private enum Progress {
        case arrived(stream: Int, bytes: Int)
        case ended(stream: Int)
    }

    func parameters(_ query: Query) throws(Query.Invalid) -> Int {
        try query.allow("streams")
        return try query.integer("streams", in: 1...256, default: 1)
    }

    func serve(_ session: WebTransportSession, _ count: Int) async throws {
        let (progress, continuation) = AsyncStream<Progress>.makeStream()
        await withDiscardingTaskGroup { group in
            group.addTask {
                await session.serveUnidirectionalStreams { try await Self.follow($0, continuation) }
                continuation.finish()
            }
            var answer = Answer()
            // What comes behind the answer is of no interest; the session is the client's to end.
            for await step in progress where answer.ends.count < count {
                switch step {
                case .arrived(let stream, let bytes):
                    if answer.arrivals.last?.stream == stream {
                        answer.arrivals[answer.arrivals.count - 1].bytes += bytes
                    } else if answer.arrivals.count < Self.maxArrivals {
                        answer.arrivals.append(.init(stream: stream, bytes: bytes))
                    } else {
                        return session.close(code: 1, reason: "the streams take turns too often")
                    }
                case .ended(let stream):
                    answer.ends.append(stream)
                    // It fails when the session has ended, and then nobody asks.
                    if answer.ends.count == count { try? await session.answer(json: answer) }
                }
            }
        }
    }

    private static func follow(
        _ stream: WebTransportReceiveStream,
        _ continuation: AsyncStream<Progress>.Continuation
    ) async throws {
        var name: Int?
        for try await chunk in stream {
            if name == nil { name = chunk.getInteger(at: chunk.readerIndex, as: UInt8.self).map(Int.init) }
            continuation.yield(.arrived(stream: name ?? 0, bytes: chunk.readableBytes))
        }
        continuation.yield(.ended(stream: name ?? 0))
    }
}

/// `/test/transfer?streams=S&bytes=B&datagrams=D`: sends B bytes on each of S unidirectional streams, and behind them
/// D datagrams of one byte. Each bidirectional stream of the client's is answered with the server's statistics as JSON.
struct TransferEndpoint: TestEndpoint {
    struct Parameters {
        var streams: Int
        var bytes: Int
        var datagrams: Int
    }

    private struct Statistics: Encodable {
        /// In milliseconds.
        var smoothedRoundTrip: Double
        var minimumRoundTrip: Double
        var roundTripVariation: Double
        var congestionWindow: UInt64
        var bytesInFlight: UInt64
        var droppedIncomingDatagrams: Int

        init(_ statistics: WebTransportStatistics) {
            func milliseconds(_ amount: TimeAmount) -> Double { Double(amount.nanoseconds) / 1e6 }
            self.smoothedRoundTrip = milliseconds(statistics.smoothedRoundTrip)
            self.minimumRoundTrip = milliseconds(statistics.minimumRoundTrip)
            self.roundTripVariation = milliseconds(statistics.roundTripVariation)
            self.congestionWindow = statistics.congestionWindow
            self.bytesInFlight = statistics.bytesInFlight
            self.droppedIncomingDatagrams = statistics.droppedIncomingDatagrams
        }
    }

    func parameters(_ query: Query) throws(Query.Invalid) -> Parameters {
        try query.allow("streams", "bytes", "datagrams")
        return Parameters(
            streams: try query.integer("streams", in: 0...1000, default: 0),
            bytes: try query.integer("bytes", in: 0...1 << 25, default: 1024),
            datagrams: try query.integer("datagrams", in: 0...1000, default: 0)
        )
    }

    func serve(_ session: WebTransportSession, _ parameters: Parameters) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask {
                await session.serveBidirectionalStreams { stream in
                    for try await _ in stream.inbound {}
                    let answer = try WebTransportSession.json(Statistics(try await session.statistics()))
                    try await stream.outbound.write(ByteBuffer(string: answer))
                    stream.outbound.finish()
                }
            }
            let content = ByteBuffer(repeating: 0, count: parameters.bytes)
            for _ in 0..<parameters.streams {
                let stream = try await session.openUnidirectionalStream()
                try await stream.write(content)
                stream.finish()
            }
            for _ in 0..<parameters.datagrams { try await session.datagrams.send(ByteBuffer(bytes: [0])) }
        }
    }
}
