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
        do {
            try await self.session.send(binary: message)
        } catch let error as WebSocketError where error.code == .closed {
            throw await self.ended()
        }
        guard let echo = await self.messages.next() else {
            try Task.checkCancellation()
            throw await self.ended()
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

    private func ended() async -> BenchmarkError {
        let close = await self.session.closed
        let reason = close.reason.isEmpty ? "" : " (\(close.reason))"
        return .ended("WebSocket close code \(close.code)\(reason)")
    }
}
