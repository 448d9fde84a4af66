import NIOCore
import NIOPosix
import Testing

@testable import WebSocket

/// A server that accepts one connection, on which a test decides on every byte.
enum RawServer {
    /// Runs `body` with a session of the client's and the server's end of its connection.
    ///
    /// - Parameter answer: the fields that the answer to the handshake holds beside those it must.
    static func run<Result: Sendable>(
        answer fields: String = "",
        configure: (inout WebSocketClientConfiguration) -> Void = { _ in },
        _ body: (RawConnection, WebSocketSession) async throws -> Result
    ) async throws -> Result {
        var configuration = WebSocketClientConfiguration()
        configuration.connectTimeout = .seconds(60)
        configuration.closeTimeout = .seconds(60)
        configure(&configuration)
        return try await Self.accept(configuration) { raw, connecting in
            try await Self.answerHandshake(on: raw, fields: fields)
            return try await body(raw, try await connecting.value)
        }
    }

    /// Runs `body` with a connection that a client has opened, and the client's attempt to begin a session on it.
    static func accept<Result: Sendable>(
        _ configuration: WebSocketClientConfiguration,
        _ body: (RawConnection, Task<WebSocketSession, any Error>) async throws -> Result
    ) async throws -> Result {
        let (connections, accepted) = AsyncStream<(any Channel, RawConnection.Inbox)>.makeStream()
        let listener = try await ServerBootstrap(group: TestServer.group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let bytes = RawConnection.Inbox()
                    try channel.pipeline.syncOperations.addHandler(RawConnection.Collector(bytes))
                    accepted.yield((channel, bytes))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = listener.localAddress!.port!  // an IP address has a port
        let connecting = Task {
            try await WebSocketClient.connect(
                to: "ws://127.0.0.1:\(port)/",
                configuration: configuration,
                eventLoopGroup: TestServer.group
            )
        }
        var iterator = connections.makeAsyncIterator()
        let (channel, bytes) = try #require(await iterator.next())
        do {
            let result = try await body(RawConnection(channel, bytes), connecting)
            try await listener.close()
            channel.close(promise: nil)
            return result
        } catch {
            try await listener.close()
            channel.close(promise: nil)
            throw error
        }
    }

    /// Reads the request, and agrees to it.
    static func answerHandshake(on raw: RawConnection, fields: String = "") async throws {
        let request = try await raw.read(through: "\r\n\r\n")
        let line = try #require(
            request.split(separator: "\r\n").first { $0.lowercased().hasPrefix("sec-websocket-key:") }
        )
        let key = line.split(separator: " ").last.map(String.init) ?? ""
        raw.send(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: \(OpeningHandshake.accept(forKey: key))\r\n\(fields)\r\n"
        )
    }
}

extension RawConnection {
    /// The client's next frame, which must be short and masked; its payload without the mask.
    func readMaskedFrame() async throws -> (firstByte: UInt8, payload: [UInt8]) {
        let header = try await self.read(6)
        try #require(header[1] & 0x80 != 0 && header[1] & 0x7f < 126)
        let masked = try await self.read(Int(header[1] & 0x7f))
        return (header[0], masked.enumerated().map { $1 ^ header[2 + $0 & 3] })
    }

    /// Sends a frame as a server does, without a mask.
    func sendUnmaskedFrame(_ firstByte: UInt8, _ payload: [UInt8] = []) {
        precondition(payload.count < 126)
        self.send([firstByte, UInt8(payload.count)] + payload)
    }
}
