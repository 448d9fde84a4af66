import HTTPSemantics
import HTTPTypes
import NIOCore
import TLS
import Testing

@testable import WebSocket

/// What time-outs and shutdown do to a connection of HTTP/2. Its other rules need a client that speaks it, and are in
/// `Tests/Interop/test_http2.py` and `test_websocket_mappings.py`.
@Suite("Connections of HTTP/2", .timeLimit(.minutes(5)))
struct HTTP2Tests {
    private struct Frame {
        var type: UInt8
        var flags: UInt8
        var stream: UInt32
        var payload: [UInt8]

        /// Of GOAWAY: the last stream, and the code.
        var end: (last: UInt32, code: UInt32) { (Self.number(self.payload[..<4]), Self.number(self.payload[4..<8])) }

        private static func number(_ bytes: ArraySlice<UInt8>) -> UInt32 { bytes.reduce(0) { $0 << 8 | UInt32($1) } }
    }

    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + Self.frame(4, 0, 0)
    /// GET https://localhost/, and CONNECT for a WebSocket at /echo, in literals (RFC 7541 § 6.2.2).
    private static let get: [UInt8] = [0x82, 0x87, 0x84, 0x41, 9] + Array("localhost".utf8)
    private static let connect: [UInt8] =
        Self.literal(":method", "CONNECT") + Self.literal(":protocol", "websocket") + Self.literal(":scheme", "https")
        + Self.literal(":authority", "127.0.0.1") + Self.literal(":path", "/echo")
        + Self.literal("sec-websocket-version", "13")

    private static func literal(_ name: String, _ value: String) -> [UInt8] {
        [0, UInt8(name.utf8.count)] + Array(name.utf8) + [UInt8(value.utf8.count)] + Array(value.utf8)
    }

    private static func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8] = []) -> [UInt8] {
        let length = [UInt8(payload.count >> 16), UInt8(payload.count >> 8 & 0xff), UInt8(payload.count & 0xff)]
        return length + [type, flags] + withUnsafeBytes(of: stream.bigEndian, Array.init) + payload
    }

    private static func connect(_ server: TestServer) async throws -> RawConnection {
        let raw = try await RawConnection.connect(
            port: server.port,
            tls: TLSClientConfiguration(
                credentials: server.credentials,
                serverName: "127.0.0.1",
                applicationProtocols: ["h2"]
            )
        )
        raw.send(Self.preface)
        return raw
    }

    private static func next(_ raw: RawConnection) async throws -> Frame {
        let header = try await raw.read(9)
        let length = header[..<3].reduce(0) { $0 << 8 | Int($1) }
        let stream = header[5...].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return Frame(type: header[3], flags: header[4], stream: stream, payload: try await raw.read(length))
    }

    /// The next frame of a type; those before it are passed over.
    private static func next(_ type: UInt8, _ raw: RawConnection) async throws -> Frame {
        while true {
            let frame = try await Self.next(raw)
            if frame.type == type { return frame }
        }
    }

    @Test("RFC 9113 § 6.5.2, RFC 8441 § 3: SETTINGS say what is allowed")
    func settings() async throws {
        try await TestServer.run(.tls) { server in
            let raw = try await Self.connect(server)
            let settings = try await Self.next(raw)
            #expect(settings.type == 4)
            let pairs = stride(from: 0, to: settings.payload.count, by: 6).map { start in
                settings.payload[start..<start + 6]
            }
            // MAX_CONCURRENT_STREAMS is 100, ENABLE_CONNECT_PROTOCOL is 1.
            #expect(pairs.contains([0, 3, 0, 0, 0, 100]))
            #expect(pairs.contains([0, 8, 0, 0, 0, 1]))
        }
    }

    @Test("RFC 9113 § 6.8: a connection without requests ends with GOAWAY, whether or not it has had some")
    func idle() async throws {
        func end(_ sent: [UInt8], _ configure: (inout WebSocketServerConfiguration) -> Void) async throws -> UInt32 {
            try await TestServer.run(.tls, configure: configure) { server in
                let raw = try await Self.connect(server)
                raw.send(sent)
                let goaway = try await Self.next(7, raw)
                #expect(goaway.end.code == 0)
                _ = try await raw.readToEnd()
                return goaway.end.last
            }
        }
        #expect(try await end([]) { $0.requestTimeout = .milliseconds(100) } == 0)
        #expect(try await end(Self.frame(1, 5, 1, Self.get)) { $0.keepAliveTimeout = .milliseconds(100) } == 1)
    }

    @Test("A header section that never ends is given up with its connection")
    func slowHeader() async throws {
        try await TestServer.run(.tls, configure: { $0.requestTimeout = .milliseconds(100) }) { server in
            let raw = try await Self.connect(server)
            // Without END_HEADERS.
            raw.send(Self.frame(1, 1, 1, Self.get))
            let goaway = try await Self.next(7, raw)
            #expect(goaway.end == (0, 0))
            _ = try await raw.readToEnd()
        }
    }

    @Test("A body that does not come to its end is given up with its stream, and the connection after it")
    func slowBody() async throws {
        try await TestServer.run(.tls, configure: { $0.keepAliveTimeout = .milliseconds(200) }) { server in
            let raw = try await Self.connect(server)
            raw.send(Self.frame(1, 4, 1, Self.get) + Self.frame(0, 0, 1, [1]))
            #expect(try await Self.next(3, raw).stream == 1)
            #expect(try await Self.next(7, raw).end == (1, 0))
            _ = try await raw.readToEnd()
        }
    }

    @Test("A header section that never ends lives as long as the WebSocket beside it, which cannot answer Ping")
    func slowHeaderBesideWebSocket() async throws {
        try await TestServer.run(
            .tls,
            configure: {
                $0.pingInterval = .milliseconds(200)
                $0.keepAliveTimeout = .milliseconds(200)
            }
        ) { server in
            let raw = try await Self.connect(server)
            // RFC 8441 § 3: not before the setting is known.
            _ = try await Self.next(4, raw)
            raw.send(Self.frame(4, 1, 0) + Self.frame(1, 4, 1, Self.connect))
            _ = try await Self.next(1, raw)
            // Without END_HEADERS: nothing else may come on the connection until they are there (RFC 9113 § 6.10).
            raw.send(Self.frame(1, 1, 3, Self.get))
            #expect(try await Self.next(7, raw).end.code == 0)
            _ = try await raw.readToEnd()
        }
    }

    @Test("A client that ends its direction with its request gets the response (RFC 8446 § 6.1)")
    func requestWithCloseNotify() async throws {
        try await TestServer.run(.tls, configure: { $0.resources = { _ in .text(.ok, "ok") } }) { server in
            let raw = try await Self.connect(server)
            _ = try await Self.next(4, raw)
            raw.send(Self.frame(4, 1, 0) + Self.frame(1, 5, 1, Self.get))
            try await raw.channel.close(mode: .output).get()
            #expect(try await Self.next(1, raw).payload.first == 0x88)  // :status 200
            #expect(try await Self.next(0, raw).payload == Array("ok".utf8))
        }
    }

    @Test("A response that is not taken is given up, and its stream reset")
    func slowReader() async throws {
        try await TestServer.run(
            .tls,
            configure: {
                $0.keepAliveTimeout = .milliseconds(200)
                $0.resources = { _ in .text(.ok, String(repeating: "x", count: 100_000)) }
            }
        ) { server in
            let raw = try await Self.connect(server)
            raw.send(Self.frame(1, 5, 1, Self.get))
            let reset = try await Self.next(3, raw)
            #expect(reset.stream == 1)
        }
    }

    @Test(
        "RFC 9113 § 6.8, § 8.7: a shutdown loses no request without saying that it may be repeated, and waits for sessions"
    )
    func shutdown() async throws {
        try await TestServer.run(.tls) { server in
            let raw = try await Self.connect(server)
            // RFC 8441 § 3: not before the setting is known.
            _ = try await Self.next(4, raw)
            raw.send(Self.frame(4, 1, 0) + Self.frame(1, 4, 1, Self.connect))
            let answer = try await Self.next(1, raw)
            #expect(answer.stream == 1 && answer.payload.first == 0x88)  // :status 200
            server.server.beginGracefulShutdown()
            // The stream and the connection are told in any order.
            var frames: [UInt8: Frame] = [:]
            while frames[0] == nil || frames[7] == nil || frames[6] == nil {
                let frame = try await Self.next(raw)
                frames[frame.type] = frame
            }
            let (close, goaway, ping) = (try #require(frames[0]), try #require(frames[7]), try #require(frames[6]))
            // A WebSocket's Close frame with 1001.
            #expect(close.payload.prefix(1) == [0x88] && close.payload[2..<4] == [0x03, 0xe9])
            #expect(goaway.end == (0x7fff_ffff, 0))
            raw.send(Self.frame(1, 5, 3, Self.get))
            let refusal = try await Self.next(3, raw)
            // REFUSED_STREAM.
            #expect(refusal.stream == 3 && refusal.payload == [0, 0, 0, 7])
            raw.send(Self.frame(6, 1, 0, ping.payload))
            #expect(try await Self.next(7, raw).end == (1, 0))
            raw.send(Self.frame(0, 1, 1, RawConnection.frame(0x88, [0x03, 0xe9])))
            _ = try await raw.readToEnd()
        }
    }
}
