import Credentials
import HTTPSemantics
import HTTPTypes
import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import WebSocket

@Suite("HTTP beside WebSocket", .timeLimit(.minutes(5)))
struct HTTPTests {
    private static func get(_ path: String, method: String = "GET", fields: String = "") -> String {
        "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n\(fields)\r\n"
    }

    @Test("GET is answered with length, date and the configured fields", arguments: Transport.allCases)
    func get(transport: Transport) async throws {
        try await TestServer.run(
            transport,
            configure: { $0.responseFields = [.init("Alt-Svc")!: "h3=\":1\""] }
        ) { server in
            let raw = try await server.raw()
            raw.send(Self.get("/healthz"))
            let head = try await raw.read(through: "\r\n\r\n").lowercased()
            #expect(head.hasPrefix("http/1.1 200 "))
            #expect(head.contains("content-length: 2\r\n"))
            #expect(head.contains("alt-svc: h3=\":1\"\r\n"))
            #expect(head.contains("date: "))
            #expect(try await raw.read(2) == Array("ok".utf8))
            raw.send(Self.get("/nothing", fields: "Connection: close\r\n"))
            let rest = String(decoding: try await raw.readToEnd(), as: UTF8.self)
            #expect(rest.hasPrefix("HTTP/1.1 404 "))
            #expect(rest.hasSuffix("no such thing\n"))
        }
    }

    @Test("HEAD has GET's length and no body, and the connection goes on")
    func head() async throws {
        try await TestServer.run { server in
            let raw = try await server.raw()
            raw.send(Self.get("/healthz", method: "HEAD"))
            #expect(try await raw.read(through: "\r\n\r\n").lowercased().contains("content-length: 2\r\n"))
            raw.send(Self.get("/healthz"))
            #expect(try await raw.read(through: "\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
        }
    }

    @Test("Other methods get 405 with Allow, and their body is skipped")
    func methods() async throws {
        try await TestServer.run { server in
            let raw = try await server.raw()
            raw.send(Self.get("/healthz", method: "POST", fields: "Content-Length: 3\r\n") + "abc")
            let head = try await raw.read(through: "\r\n\r\n")
            #expect(head.hasPrefix("HTTP/1.1 405 "))
            #expect(head.lowercased().contains("allow: get, head\r\n"))
            _ = try await raw.read(through: "here\n")
            raw.send(Self.get("/healthz"))
            #expect(try await raw.read(through: "\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
        }
    }

    @Test("Pipelined requests are answered in order, however many", arguments: Transport.allCases)
    func pipelining(transport: Transport) async throws {
        try await TestServer.run(
            transport,
            configure: { $0.resources = { .text(.ok, "\($0.path ?? "")\n" + String(repeating: "x", count: 2_000)) } }
        ) { server in
            let raw = try await server.raw()
            raw.send((0..<1_000).map { Self.get("/\($0)") }.joined())
            for number in 0..<1_000 {
                _ = try await raw.read(through: "\r\n\r\n")
                #expect(try await raw.read(through: "\n") == "/\(number)\n")
                _ = try await raw.read(2_000)
            }
        }
    }

    /// Requests that are refused, and with which status.
    private static let refused: [(text: String, status: String)] = [
        ("nonsense\r\n\r\n", "400"), (get("/", fields: "X: \(String(repeating: "x", count: 20_000))\r\n"), "431"),
        (get("/\(String(repeating: "x", count: 9_000))"), "414"),
        (get("/", method: "POST", fields: "Content-Length: 100000\r\n"), "413"),
        (get("/", method: "POST", fields: "Transfer-Encoding: gzip\r\n"), "501"),
    ]

    @Test(
        "RFC 9112 § 9.3.2: a pipelined request that is refused is answered in its turn, and nothing behind it",
        arguments: Self.refused,
        Transport.allCases
    )
    func refusedInTurn(refused: (text: String, status: String), transport: Transport) async throws {
        try await TestServer.run(transport) { server in
            let raw = try await server.raw()
            let good = Self.get("/healthz")
            raw.send(String(repeating: good, count: 5) + refused.text + good)
            let answer = String(decoding: try await raw.readToEnd(), as: UTF8.self)
            let statuses = answer.matches(of: /HTTP\/1\.1 ([0-9]{3})/).map { String($0.1) }
            #expect(statuses == ["200", "200", "200", "200", "200", refused.status])
        }
    }

    @Test("A body that is too large gets 413, announced or chunked", arguments: [true, false])
    func largeBody(isAnnounced: Bool) async throws {
        try await TestServer.run { server in
            let raw = try await server.raw()
            if isAnnounced {
                raw.send(Self.get("/healthz", method: "POST", fields: "Content-Length: 100000\r\n"))
            } else {
                raw.send(Self.get("/healthz", method: "POST", fields: "Transfer-Encoding: chunked\r\n") + "11170\r\n")
                raw.send([UInt8](repeating: 0x61, count: 70_000))
            }
            #expect(String(decoding: try await raw.readToEnd(), as: UTF8.self).hasPrefix("HTTP/1.1 413 "))
        }
    }

    @Test("A header section that is too large gets 431")
    func largeHeader() async throws {
        try await TestServer.run { server in
            let raw = try await server.raw()
            raw.send(Self.get("/healthz", fields: "X: \(String(repeating: "x", count: 20_000))\r\n"))
            #expect(String(decoding: try await raw.readToEnd(), as: UTF8.self).hasPrefix("HTTP/1.1 431 "))
        }
    }

    @Test(
        "What is no HTTP/1.1 gets 400",
        arguments: ["nonsense\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"]
    )
    func invalid(text: String) async throws {
        try await TestServer.run { server in
            let raw = try await server.raw()
            raw.send(text)
            #expect(String(decoding: try await raw.readToEnd(), as: UTF8.self).hasPrefix("HTTP/1.1 400 "))
        }
    }

    @Test("HTTP/1.0 is answered, and its connection ends unless it asks otherwise")
    func version10() async throws {
        try await TestServer.run { server in
            let raw = try await server.raw()
            raw.send("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /healthz HTTP/1.0\r\n\r\n")
            let all = String(decoding: try await raw.readToEnd(), as: UTF8.self)
            #expect(all.components(of: "HTTP/1.1 200 ") == 2)
        }
    }

    /// On a clock of the test's own: a loop that others keep busy may read a request later than a short limit allows.
    @Test(
        "A request that does not come, or not to its end, is given up",
        arguments: [
            ("", ""), ("GET / HT", ""), ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", "HTTP/1.1 408 "),
        ]
    )
    func slow(text: String, beginning: String) throws {
        let configuration = WebSocketServerConfiguration(listeners: [])
        let core = ServerCore(
            configuration: configuration,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        _ = core.beginRunning()
        let channel = EmbeddedChannel()
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: 80)
        try WebSocketServer.configure(channel, .init(host: "127.0.0.1", port: 80), core)
        try channel.connect(to: address).wait()
        try channel.writeInbound(ByteBuffer(string: text))

        channel.embeddedEventLoop.advanceTime(by: configuration.requestTimeout - .nanoseconds(1))
        #expect(channel.isActive)
        #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
        channel.embeddedEventLoop.advanceTime(by: .nanoseconds(1))
        var answer = ByteBuffer()
        while let part = try channel.readOutbound(as: ByteBuffer.self) { answer.writeImmutableBuffer(part) }
        #expect(String(buffer: answer).hasPrefix(beginning))
        #expect((answer.readableBytes == 0) == beginning.isEmpty)
        // The peer gets time to read an answer, no more.
        channel.embeddedEventLoop.advanceTime(by: .minutes(1))
        #expect(!channel.isActive)
        _ = try channel.finish(acceptAlreadyClosed: true)
    }

    @Test("A connection without requests is ended after the keep-alive time")
    func keepAlive() async throws {
        try await TestServer.run(configure: { $0.keepAliveTimeout = .milliseconds(100) }) { server in
            let raw = try await server.raw()
            raw.send(Self.get("/healthz"))
            #expect(String(decoding: try await raw.readToEnd(), as: UTF8.self).hasSuffix("ok"))
        }
    }

    @Test("Plain HTTP on the TLS port ends the connection, and the next one is served")
    func plainOnTLS() async throws {
        try await TestServer.run(.tls) { server in
            let plain = try await RawConnection.connect(port: server.port)
            plain.send(Self.get("/healthz"))
            // At most an alert.
            #expect(try await plain.readToEnd().count < 20)
            let raw = try await server.raw()
            raw.send(Self.get("/healthz"))
            #expect(try await raw.read(through: "\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
        }
    }
}

extension String {
    /// How often another string occurs in this one.
    fileprivate func components(of other: String) -> Int { self.ranges(of: other).count }
}
