import ApusServer
import HTTPSemantics
import HTTPTypes
import Logging
import NIOCore
import NIOPosix
import Testing
import WebSocket
import WebTransport

@Suite("A client's WebSocket over HTTP/3 [RFC 9220]", .timeLimit(.minutes(5)))
struct WebSocketOverHTTP3Tests {
    @Test("Messages of all sizes come back in order, and the close arrives")
    func echo() async throws {
        try await TestServer.run { server in
            try await server.webSocketOverHTTP3("/echo") { session in
                #expect(session.mapping == .http3)
                var messages = session.messages.makeAsyncIterator()
                for size in [0, 1, 125, 126, 65_536, 1_000_000] {
                    try await session.send(binary: ByteBuffer(repeating: 7, count: size))
                    #expect(await messages.next() == .binary(ByteBuffer(repeating: 7, count: size)))
                }
                session.close(code: .normal, reason: "enough")
                #expect(await session.closed == WebSocketClose(code: .normal, reason: "enough", wasClean: true))
            }
        }
    }

    @Test("A refusal has its status")
    func refusal() async throws {
        try await TestServer.run { server in
            do {
                try await server.webSocketOverHTTP3("/nowhere") { _ in }
                Issue.record("there is no such session")
            } catch let error as WebSocketError {
                #expect(error.code == .refused)
                #expect(error.response?.head.status == .notFound)
            }
        }
    }

    @Test("The client's socket ends the session")
    func lostClient() async throws {
        try await TestServer.run { server in
            let client = try await server.webTransportClient()
            let session = try await server.webSocketOverHTTP3("/echo", client)
            await client.close()
            #expect(await session.closed.wasClean == false)
            await #expect(throws: (any Error).self) { try await session.send(text: "x") }
        }
    }
}

extension TestServer {
    fileprivate func webTransportClient() async throws -> WebTransportClient {
        var configuration = WebTransportClient.Configuration(credentials: self.credentials)
        configuration.connectTimeout = .seconds(60)
        return try await WebTransportClient.bind(
            configuration: configuration,
            eventLoop: Self.group.next(),
            logger: Logger(label: "test.client") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    /// A session that the caller closes, with its client.
    fileprivate func webSocketOverHTTP3(
        _ path: String,
        _ client: WebTransportClient
    ) async throws -> WebSocketSession {
        let target = try SessionURL(validating: "https://127.0.0.1:\(self.server.port)\(path)")
        let loop = client.eventLoop
        return try await client.openTunnel(to: target) { promise in
            ExtendedConnectRequest(
                to: target,
                configuration: WebSocketClientConfiguration(),
                eventLoop: loop,
                promise: promise
            )
        }
    }

    fileprivate func webSocketOverHTTP3(
        _ path: String,
        _ body: (WebSocketSession) async throws -> Void
    ) async throws {
        let client = try await self.webTransportClient()
        do {
            let session = try await self.webSocketOverHTTP3(path, client)
            try await body(session)
            session.close()
            await client.close()
        } catch {
            await client.close()
            throw error
        }
    }
}
