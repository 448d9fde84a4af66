import ApusServer
import HTTPSemantics
import HTTPTypes
import NIOCore
import Testing
import WebSocket
import WebTransport

@Suite("The endpoints over both transports [71]", .timeLimit(.minutes(1)))
struct EndpointTests {
    typealias Way = TestServer.Way

    /// What `/source` sends: a chunk of 16 KiB that counts, again and again.
    private static func pattern(_ count: Int) -> ByteBuffer {
        ByteBuffer(bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0 % 16_384) })
    }

    // MARK: /echo

    @Test("/echo sends back streams of both kinds and datagrams, each the way it came")
    func echoWebTransport() async throws {
        try await TestServer.run { test in
            try await test.webTransport("/echo") { session in
                let large = Self.pattern(200_000)
                let bidirectional = try await session.openBidirectionalStream()
                async let reply = bidirectional.inbound.collect()
                try await bidirectional.outbound.write(large)
                bidirectional.outbound.finish()
                let received = try await reply
                #expect(received == large)

                let unidirectional = try await session.openUnidirectionalStream()
                try await unidirectional.write(ByteBuffer(string: "one way"))
                unidirectional.finish()
                for await stream in session.incomingUnidirectionalStreams {
                    let text = try await stream.collect()
                    #expect(text == ByteBuffer(string: "one way"))
                    break
                }

                var datagrams = session.datagrams.makeAsyncIterator()
                for text in ["", "datagram"] {
                    try await session.datagrams.send(ByteBuffer(string: text))
                    let datagram = await datagrams.next()
                    #expect(datagram == ByteBuffer(string: text))
                }
            }
        }
    }

    @Test("/echo survives a stream that is reset, and passes the code on")
    func echoReset() async throws {
        try await TestServer.run { test in
            try await test.webTransport("/echo") { session in
                let stream = try await session.openBidirectionalStream()
                try await stream.outbound.write(ByteBuffer(string: "x"))
                var iterator = stream.inbound.makeAsyncIterator()
                let first = try await iterator.next()
                #expect(first == ByteBuffer(string: "x"))
                stream.outbound.reset(code: 77)
                let error = await #expect(throws: WebTransportError.self) { try await iterator.next() }
                #expect(error?.applicationCode == 77)
                let other = try await session.openBidirectionalStream()
                other.outbound.finish()
                let rest = try await other.inbound.collect()
                #expect(rest.readableBytes == 0)
            }
        }
    }

    @Test("/echo sends back messages with their kind", arguments: Way.allCases)
    func echoWebSocket(way: Way) async throws {
        try await TestServer.run { test in
            try await test.webSocket("/echo", over: way) { session in
                let messages: [WebSocketMessage] = [
                    .text("grüezi"), .binary(Self.pattern(100_000)), .text(""), .binary(ByteBuffer()),
                ]
                var iterator = session.messages.makeAsyncIterator()
                for message in messages {
                    try await session.send(message)
                    let reply = await iterator.next()
                    #expect(reply == message)
                }
            }
        }
    }

    // MARK: /sink

    @Test("/sink answers the number of bytes when a stream ends", arguments: [0, 1, 300_000])
    func sinkWebTransport(count: Int) async throws {
        try await TestServer.run { test in
            try await test.webTransport("/sink") { session in
                try await session.datagrams.send(ByteBuffer(string: "ignored"))
                let bidirectional = try await session.openBidirectionalStream()
                try await bidirectional.outbound.write(Self.pattern(count))
                bidirectional.outbound.finish()
                let answer = try await bidirectional.inbound.collect()
                #expect(answer == ByteBuffer(string: "\(count)"))

                let unidirectional = try await session.openUnidirectionalStream()
                try await unidirectional.write(Self.pattern(count))
                unidirectional.finish()
                for await stream in session.incomingUnidirectionalStreams {
                    let answer = try await stream.collect()
                    #expect(answer == ByteBuffer(string: "\(count)"))
                    break
                }
            }
        }
    }

    @Test("/sink answers each message with the total so far", arguments: Way.allCases)
    func sinkWebSocket(way: Way) async throws {
        try await TestServer.run { test in
            try await test.webSocket("/sink", over: way) { session in
                var iterator = session.messages.makeAsyncIterator()
                try await session.send(binary: Self.pattern(70_000))
                let first = await iterator.next()
                #expect(first == .text("70000"))
                try await session.send(text: "ü")
                let second = await iterator.next()
                #expect(second == .text("70002"))
            }
        }
    }

    // MARK: /source

    @Test("/source sends exactly the bytes asked for", arguments: [0, 1, 16_384, 16_385, 500_000])
    func source(count: Int) async throws {
        try await TestServer.run { test in
            try await test.webTransport("/source?bytes=\(count)") { session in
                for await stream in session.incomingUnidirectionalStreams {
                    let bytes = try await stream.collect()
                    #expect(bytes == Self.pattern(count))
                    break
                }
            }
            try await test.webSocket("/source?bytes=\(count)") { session in
                var bytes = ByteBuffer()
                for await message in session.messages {
                    guard case .binary(let chunk) = message else {
                        Issue.record("a text message")
                        return
                    }
                    #expect(chunk.readableBytes <= 16_384)
                    bytes.writeImmutableBuffer(chunk)
                }
                #expect(bytes == Self.pattern(count))
                let close = await session.closed
                #expect(close.code == .normal)
            }
        }
    }

    @Test("/source sends a mebibyte when no number is given")
    func sourceDefault() async throws {
        try await TestServer.run { test in
            try await test.webTransport("/source") { session in
                for await stream in session.incomingUnidirectionalStreams {
                    let bytes = try await stream.collect()
                    #expect(bytes.readableBytes == 1 << 20)
                    break
                }
            }
        }
    }

    // MARK: /close

    @Test(
        "/close ends a WebTransport session with any code and reason",
        arguments: [
            ("/close", 0, ""), ("/close?code=42&reason=bye", 42, "bye"),
            ("/close?reason=auf+Wieder%20sehen%21%20%C3%BC&code=4294967295", .max, "auf Wieder sehen! ü"),
        ] as [(String, UInt32, String)]
    )
    func closeWebTransport(path: String, code: UInt32, reason: String) async throws {
        try await TestServer.run { test in
            let end = try await test.webTransport(path) { try await $0.closed }
            #expect(end == .closedByPeer(.init(code: code, reason: reason)))
        }
    }

    @Test(
        "/close ends a WebSocket with the code, or with 1000 when no endpoint may send it (RFC 6455 § 7.4)",
        arguments: [
            ("/close", 1000, ""), ("/close?code=4242&reason=bye", 4242, "bye"), ("/close?code=1005", 1000, ""),
            ("/close?code=70000&reason=x", 1000, "x"), ("/close?code=3000", 3000, ""), ("/close?code=5", 1000, ""),
        ] as [(String, UInt16, String)]
    )
    func closeWebSocket(path: String, code: UInt16, reason: String) async throws {
        try await TestServer.run { test in
            let close = try await test.webSocket(path) { await $0.closed }
            #expect(close.code.rawValue == code)
            #expect(close.reason == reason)
            #expect(close.wasClean)
        }
    }

    // MARK: Refusals

    private static func refusals(
        _ path: String,
        fields: HTTPFields = [:],
        of test: TestServer
    ) async -> [HTTPResponse.Status?] {
        let webTransport = await #expect(throws: WebTransportError.self) {
            try await test.webTransport(path, fields: fields) { _ in }
        }
        var statuses = [webTransport?.status]
        for way in Way.allCases {
            let webSocket = await #expect(throws: WebSocketError.self) {
                try await test.webSocket(path, over: way, fields: fields) { _ in }
            }
            statuses.append(webSocket?.response?.head.status)
        }
        return statuses
    }

    @Test(
        "Unknown paths get 404 over every transport, and bad queries 400",
        arguments: [
            ("/nothing", 404), ("/", 404), ("/echo/", 404), ("/healthz", 404), ("/test/streams", 404),
            ("/test/record?token=1", 404),
            ("/source?bytes=-1", 400), ("/source?bytes=x", 400), ("/source?bytes=1099511627777", 400),
            ("/close?code=4294967296", 400), ("/close?code=", 400),
        ]
    )
    func refused(path: String, status: Int) async throws {
        try await TestServer.run { test in
            let statuses = await Self.refusals(path, of: test)
            #expect(statuses.map { $0?.code } == [status, status, status])
        }
    }

    @Test("A foreign origin gets 403 over every transport; the same host and a listed one get in (RFC 6454)")
    func origins() async throws {
        try await TestServer.run {
            $0.originPolicy = .init(allowedOrigins: ["https://friend.example"])
        } _: { test in
            for origin in ["https://evil.example", "null", "https://127.0.0.1.evil.example"] {
                let statuses = await Self.refusals("/echo", fields: [.origin: origin], of: test)
                #expect(statuses.map { $0?.code } == [403, 403, 403])
            }
            // Also where there is nothing: a page learns nothing of a server that it may not use.
            let unknown = await Self.refusals("/nothing", fields: [.origin: "https://evil.example"], of: test)
            #expect(unknown.map { $0?.code } == [403, 403, 403])
            for origin in ["https://friend.example", "http://127.0.0.1:1"] {
                try await test.webTransport("/echo", fields: [.origin: origin]) { _ in }
                for way in Way.allCases {
                    try await test.webSocket("/echo", over: way, fields: [.origin: origin]) { _ in }
                }
            }
        }
    }

    @Test("Sessions beyond the limit are refused over each transport, and let in when one has ended")
    func sessionLimit() async throws {
        try await TestServer.run {
            $0.maxSessions = 1
        } _: { test in
            try await test.webTransport("/echo") { _ in
                let error = await #expect(throws: WebTransportError.self) {
                    try await test.webTransport("/echo") { _ in }
                }
                #expect(error?.status == .tooManyRequests)
            }
            try await test.webTransport("/echo") { _ in }
            try await test.webSocket("/echo") { _ in
                let error = await #expect(throws: WebSocketError.self) { try await test.webSocket("/echo") { _ in } }
                #expect(error?.response?.head.status == .tooManyRequests)
            }
        }
    }
}
