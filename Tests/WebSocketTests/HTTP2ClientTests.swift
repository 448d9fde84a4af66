import Credentials
import HTTPSemantics
import HTTPTypes
import NIOCore
import NIOPosix
import TLS
import Testing

@testable import WebSocket

@Suite("A client's WebSocket over HTTP/2 [RFC 8441]", .timeLimit(.minutes(5)))
struct HTTP2ClientTests {
    @Test("Messages of all sizes come back in order, and the close arrives")
    func echo() async throws {
        try await TestServer.run(.tls) { server in
            try await server.connect("/echo", { $0.usesHTTP2 = true }) { session in
                #expect(session.mapping == .http2)
                #expect(session.request.method == .connect)
                var messages = session.messages.makeAsyncIterator()
                // One is larger than what either end may send without leave.
                for size in [0, 1, 125, 126, 65_536, 1_000_000] {
                    try await session.send(binary: ByteBuffer(repeating: 7, count: size))
                    #expect(await messages.next() == .binary(ByteBuffer(repeating: 7, count: size)))
                }
                session.close(code: .normal, reason: "enough")
                #expect(await session.closed == WebSocketClose(code: .normal, reason: "enough", wasClean: true))
            }
        }
    }

    @Test("Subprotocol and compression are agreed on as over HTTP/1.1")
    func agreement() async throws {
        try await TestServer.run(
            .tls,
            configure: {
                $0.compression = WebSocketCompression()
                $0.admission = { _ in .accept(subprotocol: "b") }
            }
        ) { server in
            try await server.connect(
                "/echo",
                {
                    ($0.usesHTTP2, $0.subprotocols) = (true, ["a", "b"])
                    $0.compression = WebSocketCompression()
                }
            ) { session in
                #expect(session.subprotocol == "b")
                #expect(session.extensions.hasPrefix("permessage-deflate"))
                var messages = session.messages.makeAsyncIterator()
                let text = String(repeating: "again ", count: 1_000)
                try await session.send(text: text)
                #expect(await messages.next() == .text(text))
            }
        }
    }

    @Test("A refusal has its status and its body")
    func refusal() async throws {
        try await TestServer.run(.tls) { server in
            let error = await Self.error { try await server.connect("/nowhere", { $0.usesHTTP2 = true }) { _ in } }
            #expect(error?.code == .refused)
            #expect(error?.response?.head.status == .notFound)
            #expect(error?.response?.body == "no such session\n")
        }
    }

    @Test("Without TLS there is none, and the error says so")
    func plain() async throws {
        try await TestServer.run { server in
            let error = await Self.error { try await server.connect("/echo", { $0.usesHTTP2 = true }) { _ in } }
            #expect(error?.code == .notSupported)
            #expect(error?.message.contains("wss://") == true)
        }
    }

    @Test(
        "A server that does not speak HTTP/2, or takes no WebSocket over it, is told apart",
        arguments: [
            // RFC 7301 § 3.2: it refuses who offers nothing that it speaks; one without ALPN goes on.
            (["http/1.1"], .connectFailed, "TLS"), ([], .notSupported, "does not speak HTTP/2"),
            (["h2"], .notSupported, "RFC 8441"),
        ] as [([String], WebSocketError.Code, String)]
    )
    func notSupported(protocols: [String], code: WebSocketError.Code, text: String) async throws {
        let settings: [UInt8] = [0, 0, 0, 4, 0, 0, 0, 0, 0]
        try await RawTLSServer.run(applicationProtocols: protocols, greeting: settings) { port, credentials in
            let error = await Self.error { try await Self.connect(port, credentials, timeout: .seconds(60)) }
            #expect(error?.code == code)
            #expect(error?.message.contains(text) == true, "\(String(describing: error))")
        }
    }

    @Test("A server that never says what it takes is given up")
    func silence() async throws {
        try await RawTLSServer.run(applicationProtocols: ["h2"], greeting: []) { port, credentials in
            let error = await Self.error { try await Self.connect(port, credentials, timeout: .milliseconds(200)) }
            #expect(error?.code == .timedOut, "\(String(describing: error))")
        }
    }

    private static func connect(_ port: Int, _ credentials: ClientCredentials, timeout: TimeAmount) async throws {
        var configuration = WebSocketClientConfiguration(credentials: credentials)
        (configuration.usesHTTP2, configuration.connectTimeout) = (true, timeout)
        try await WebSocketClient.connect(
            to: "wss://127.0.0.1:\(port)/",
            configuration: configuration,
            eventLoopGroup: TestServer.group
        ) { _ in }
    }

    private static func error(_ body: () async throws -> Void) async -> WebSocketError? {
        do {
            try await body()
            return nil
        } catch {
            return error as? WebSocketError
        }
    }
}
