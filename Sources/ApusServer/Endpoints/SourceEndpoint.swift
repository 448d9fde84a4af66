import HTTPSemantics
import HTTPTypes
import NIOCore
import WebSocket
import WebTransport

/// `/source?bytes=N`: sends N bytes, a mebibyte when it is not said, then ends.
struct SourceEndpoint: SessionRoute {
    /// A WebSocket's message, and a stream's write.
    private static let chunkSize = 16 * 1024
    /// A tebibyte: an hour at two gigabits a second.
    private static let range = 0...(1 << 40)

    func admission(_ request: HTTPRequest, _ query: Query) -> SessionAdmission {
        guard self.byteCount(query) != nil else {
            return .refuse(.badRequest, reason: "bytes must be a number from 0 to 2^40")
        }
        return .accept()
    }

    private func byteCount(_ query: Query) -> Int? { query.number("bytes", in: Self.range, default: 1 << 20) }

    func serve(_ session: WebTransportSession, _ query: Query) async throws {
        let stream = try await session.openUnidirectionalStream()
        try await self.send(query) { try await stream.write($0) }
        stream.finish()
        _ = try await session.closed
    }

    func serve(_ session: WebSocketSession, _ query: Query) async throws {
        try await self.send(query) { try await session.send(binary: $0) }
    }

    private func send(_ query: Query, _ write: (ByteBuffer) async throws -> Void) async throws {
        let chunk = ByteBuffer(bytes: (0..<Self.chunkSize).map { UInt8(truncatingIfNeeded: $0) })
        var left = self.byteCount(query) ?? 0
        while left > 0 {
            let count = min(left, Self.chunkSize)
            // Not nil: at most the size of the chunk.
            try await write(chunk.getSlice(at: 0, length: count)!)
            left -= count
        }
    }
}
