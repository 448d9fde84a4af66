import NIOCore
import WebSocket
import WebTransport

/// `/sink`: reads and counts; answers the number of bytes as decimal text when a stream ends.
struct SinkEndpoint: SessionRoute {
    func serve(_ session: WebTransportSession, _ query: Query) async throws {
        await withDiscardingTaskGroup { group in
            group.addTask { for await _ in session.datagrams {} }
            group.addTask {
                await session.serveBidirectionalStreams { stream in
                    try await Self.answer(try await Self.count(stream.inbound), on: stream.outbound)
                }
            }
            await session.serveUnidirectionalStreams { stream in
                // First the answer's stream: a peer that allows none must not have any number of them waited for.
                let answer = try await session.openUnidirectionalStream()
                try await Self.answer(try await Self.count(stream), on: answer)
            }
        }
    }

    private static func count(_ stream: WebTransportReceiveStream) async throws -> Int {
        var total = 0
        for try await chunk in stream { total += chunk.readableBytes }
        return total
    }

    private static func answer(_ total: Int, on stream: WebTransportSendStream) async throws {
        try await stream.write(ByteBuffer(string: String(total)))
        stream.finish()
    }

    /// A WebSocket has no streams that end: each message is answered with the total so far.
    func serve(_ session: WebSocketSession, _ query: Query) async throws {
        var total = 0
        for try await message in session.messages {
            total += message.byteCount
            try await session.send(text: String(total))
        }
    }
}
