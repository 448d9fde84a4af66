import Credentials
import HTTPSemantics
import HTTPTypes
import NIOCore
import Testing

@testable import WebSocket

@Suite("Refusals", .timeLimit(.minutes(5)))
struct RefusalTests {
    private static func refusal(
        _ server: TestServer,
        _ path: String = "/echo",
        _ configure: (inout WebSocketClientConfiguration) -> Void = { _ in }
    ) async throws -> WebSocketError {
        do {
            try await server.connect(path, configure) { _ in }
        } catch let error as WebSocketError {
            return error
        }
        throw ExpectedRefusal()
    }

    private struct ExpectedRefusal: Error {}

    @Test("An unknown path is 404, with the reason in the body", arguments: Transport.allCases)
    func unknownPath(transport: Transport) async throws {
        try await TestServer.run(transport) { server in
            let error = try await Self.refusal(server, "/nowhere")
            #expect(error.code == .refused)
            #expect(error.response?.head.status == .notFound)
            #expect(error.response?.body == "no such session\n")
            #expect(error.message.contains("no such session"))
        }
    }

    @Test("Another origin is 403, and the body says how to allow it", arguments: Transport.allCases)
    func origin(transport: Transport) async throws {
        try await TestServer.run(transport) { server in
            let error = try await Self.refusal(server) { $0.fields[.origin] = "https://evil.example" }
            #expect(error.response?.head.status == .forbidden)
            #expect(error.response?.body.contains("--allow-origin https://evil.example") == true)
            try await server.connect("/echo", { $0.fields[.origin] = "http://127.0.0.1:1" }) { _ in }
        }
    }

    @Test("Another version is 426 with the version that is spoken")
    func version() async throws {
        try await TestServer.run { server in
            let raw = try await server.raw()
            raw.send(RawConnection.upgrade(version: "12"))
            let answer = String(decoding: try await raw.readToEnd(), as: UTF8.self)
            #expect(answer.hasPrefix("HTTP/1.1 426 "))
            #expect(answer.lowercased().contains("sec-websocket-version: 13\r\n"))
        }
    }

    @Test("More sessions than the limit are 429, and one that ends makes room")
    func limit() async throws {
        try await TestServer.run(configure: { $0.maxSessions = 1 }) { server in
            try await server.connect { _ in
                do {
                    try await server.connect { _ in }
                    Issue.record("a session beyond the limit")
                } catch let error as WebSocketError {
                    #expect(error.response?.head.status == .tooManyRequests)
                }
            }
            // The server counts a session until its connection has ended, which may take a moment longer than ours.
            while true {
                do {
                    try await server.connect { _ in }
                    break
                } catch let error as WebSocketError where error.code == .refused {
                    continue
                }
            }
        }
    }

    @Test("The server's certificate is checked")
    func certificate() async throws {
        try await TestServer.run(.tls) { server in
            let other = try DevelopmentCertificate()
            let credentials = try ClientCredentials(verification: .fingerprints([other.fingerprint]))
            do {
                try await server.connect("/echo", { $0.credentials = credentials }) { _ in }
                Issue.record("connected to a server with another certificate")
            } catch let error as CredentialsError {
                #expect(error.code == .wrongFingerprint)
            }
        }
    }

    @Test("A server that is not there is named")
    func notThere() async throws {
        // The port was free a moment ago.
        let port = try await TestServer.run { $0.port }
        do {
            _ = try await WebSocketClient.connect(to: "ws://127.0.0.1:\(port)/", eventLoopGroup: TestServer.group)
            Issue.record("connected to nothing")
        } catch let error as WebSocketError {
            #expect(error.code == .connectFailed)
            #expect(error.message.contains("127.0.0.1:\(port)"))
        }
    }

    @Test("A server that says nothing is given up")
    func silent() async throws {
        // TLS waits for the server's hello; the server waits for the request.
        try await TestServer.run(.plain) { server in
            var configuration = WebSocketClientConfiguration(credentials: server.credentials)
            configuration.connectTimeout = .milliseconds(200)
            do {
                _ = try await WebSocketClient.connect(
                    to: "wss://127.0.0.1:\(server.port)/",
                    configuration: configuration,
                    eventLoopGroup: TestServer.group
                )
                Issue.record("TLS with a plain server")
            } catch {
                #expect(!(error is CancellationError))
            }
        }
    }
}
