import HTTPSemantics
import NIOCore
import WebSocket
import WebTransport

// Endpoints for the tests of browsers, off unless `--test-endpoints` is given.

/// `/test/reset?code=N` gives up sending on every bidirectional stream with an application code, `/test/stop?code=N`
/// receiving.
struct AbortEndpoint: SessionRoute {
    enum Signal {
        case reset
        case stop
    }
    let signal: Signal

    func serve(_ session: WebTransportSession, _ query: Query) async throws {
        let code = UInt32(query.number("code", in: 0...Int(UInt32.max), default: 0) ?? 0)
        // The streams' other halves stay in use until the session ends.
        var streams: [WebTransportBidirectionalStream] = []
        for await stream in session.incomingBidirectionalStreams {
            switch self.signal {
            case .reset: stream.outbound.reset(code: code)
            case .stop: stream.inbound.stop(code: code)
            }
            streams.append(stream)
        }
    }

    func serve(_ session: WebSocketSession, _ query: Query) async throws {}
}

/// `/test/streams?count=N`: opens N streams of each kind, each of which says which one it is.
struct StreamsEndpoint: SessionRoute {
    func serve(_ session: WebTransportSession, _ query: Query) async throws {
        let count = query.number("count", in: 0...1000, default: 1) ?? 0
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

    func serve(_ session: WebSocketSession, _ query: Query) async throws {}
}
