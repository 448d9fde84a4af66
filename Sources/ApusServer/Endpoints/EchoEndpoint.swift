import WebSocket
import WebTransport

/// `/echo`: what comes goes back, the way it came.
///
/// A bidirectional stream's bytes on the same stream, a unidirectional stream's on a new one of the server's, datagrams
/// as datagrams, messages with their kind.
struct EchoEndpoint: SessionRoute {
    func serve(_ session: WebTransportSession, _ query: Query) async throws {
        try await self.serve(session)
    }

    func serve(_ session: WebTransportSession) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask {
                for await datagram in session.datagrams { try await session.datagrams.send(datagram) }
            }
            group.addTask {
                await session.serveBidirectionalStreams { stream in
                    for try await chunk in stream.inbound { try await stream.outbound.write(chunk) }
                    stream.outbound.finish()
                }
            }
            await session.serveUnidirectionalStreams { stream in
                let reply = try await session.openUnidirectionalStream()
                do {
                    for try await chunk in stream { try await reply.write(chunk) }
                    reply.finish()
                } catch {
                    reply.reset()
                }
            }
        }
    }

    func serve(_ session: WebSocketSession, _ query: Query) async throws {
        for try await message in session.messages { try await session.send(message) }
    }
}

extension WebTransportSession {
    /// Serves every bidirectional stream in a task of its own, until the session ends.
    ///
    /// What goes wrong on one stream, such as a reset, ends that stream alone.
    func serveBidirectionalStreams(
        _ body: @escaping @Sendable (WebTransportBidirectionalStream) async throws -> Void
    ) async {
        await withDiscardingTaskGroup { group in
            for await stream in self.incomingBidirectionalStreams {
                group.addTask {
                    do {
                        try await body(stream)
                    } catch {
                        stream.outbound.reset(code: (error as? WebTransportError)?.applicationCode ?? 0)
                    }
                }
            }
        }
    }

    /// Serves every unidirectional stream in a task of its own, until the session ends.
    func serveUnidirectionalStreams(
        _ body: @escaping @Sendable (WebTransportReceiveStream) async throws -> Void
    ) async {
        await withDiscardingTaskGroup { group in
            for await stream in self.incomingUnidirectionalStreams {
                // A peer's reset ends its stream, and nothing else.
                group.addTask { try? await body(stream) }
            }
        }
    }
}
