import NIOCore
import WebSocket

/// Binary messages on a WebSocket session.
struct WebSocketPath: EchoPath {
    private let session: WebSocketSession
    private var messages: WebSocketMessages.AsyncIterator

    init(_ session: WebSocketSession) {
        self.session = session
        self.messages = session.messages.makeAsyncIterator()
    }

    @concurrent mutating func roundTrip(_ message: ByteBuffer) async throws -> Echo {
        try await self.session.send(binary: message)
        guard let echo = await self.messages.next() else {
            try Task.checkCancellation()
            let close = await self.session.closed
            let reason = close.reason.isEmpty ? "" : " (\(close.reason))"
            throw BenchmarkError.ended("WebSocket close code \(close.code)\(reason)")
        }
        let now = NIODeadline.now()
        switch echo {
        case .binary(let bytes): return .received(bytes, at: now)
        case .text:
            throw BenchmarkError(
                .protocolViolation,
                "a binary message came back as text; the path of the target must be an echo endpoint"
            )
        }
    }
}
