import ApusServer
import Foundation
import HTTPTypes
import NIOCore
import Testing
import WebSocket
import WebTransport

@Suite("The endpoints for tests", .timeLimit(.minutes(1)))
struct TestEndpointTests {
    static func run(_ body: (TestServer) async throws -> Void) async throws {
        try await TestServer.run {
            $0.testEndpoints = true
        } _: {
            try await body($0)
        }
    }

    /// What the server's next unidirectional stream says.
    static func answer(_ session: WebTransportSession) async throws -> String? {
        for await stream in session.incomingUnidirectionalStreams {
            return String(buffer: try await stream.collect())
        }
        return nil
    }

    static func json<Value: Decodable>(
        _ type: Value.Type,
        _ path: String,
        of test: TestServer,
        fields: HTTPFields = [:]
    ) async throws -> Value {
        let text = try await test.webTransport(path, fields: fields) { try await Self.answer($0) }
        return try JSONDecoder().decode(type, from: Data(try #require(text).utf8))
    }

    // MARK: Requests and responses

    @Test("/test/request shows the request: pseudo-header fields, and fields in lower case (RFC 9114 § 4.2) [11]")
    func request() async throws {
        struct Answer: Decodable {
            struct Field: Decodable, Hashable { var name, value: String }
            var method, scheme, authority, path, `protocol`: String
            var fields: [Field]
        }
        try await Self.run { test in
            let path = "/test/request?any=thing"
            let answer = try await Self.json(
                Answer.self,
                path,
                of: test,
                fields: [.origin: "https://127.0.0.1", .init("X-Token")!: "Secret"]
            )
            #expect(answer.method == "CONNECT")
            #expect(answer.scheme == "https")
            #expect(answer.authority == "127.0.0.1:\(test.server.port)")
            #expect(answer.path == path)
            #expect(answer.protocol == "webtransport-h3")
            #expect(answer.fields.contains(.init(name: "origin", value: "https://127.0.0.1")))
            #expect(answer.fields.contains(.init(name: "x-token", value: "Secret")))
        }
    }

    @Test(
        "/test/response: any 2xx begins a session (draft-ietf-webtrans-http3 § 3.2), with the fields asked for [9, 11]",
        arguments: [200, 201, 204, 299]
    )
    func accepted(status: Int) async throws {
        try await Self.run { test in
            let response = try await test.webTransport("/test/response?:status=\(status)&x-a=1&x-b=two+words&x-a=3") {
                let stream = try await $0.openBidirectionalStream()
                try await stream.outbound.write(ByteBuffer(string: "it works"))
                stream.outbound.finish()
                let echo = try await stream.inbound.collect()
                #expect(echo == ByteBuffer(string: "it works"))
                return $0.response
            }
            #expect(response.status.code == status)
            #expect(response.headerFields[values: .init("x-a")!] == ["1", "3"])
            #expect(response.headerFields[.init("x-b")!] == "two words")
        }
    }

    @Test("/test/response: any other status refuses the session", arguments: [301, 401, 404, 500, 599])
    func refused(status: Int) async throws {
        try await Self.run { test in
            let error = await #expect(throws: WebTransportError.self) {
                try await test.webTransport("/test/response?:status=\(status)&location=/echo") { _ in }
            }
            #expect(error?.status?.code == status)
        }
    }

    @Test(
        "/test/protocol agrees only on what the client offers (draft-ietf-webtrans-http3 § 3.3) [10]",
        arguments: [("a", "a"), ("b", "b"), ("c", nil), ("", nil)] as [(String, String?)]
    )
    func subprotocol(choice: String, agreed: String?) async throws {
        try await Self.run { test in
            try await test.webTransport("/test/protocol?choose=\(choice)", subprotocols: ["a", "b"]) { session in
                #expect(session.subprotocol == agreed)
                let answer = try await Self.answer(session)
                #expect(answer == agreed ?? "")
            }
        }
    }

    @Test("/test/export answers the keying material that the client computes (draft-ietf-webtrans-http3 § 4.8) [65]")
    func export() async throws {
        try await Self.run { test in
            try await test.webTransport("/test/export?label=login&context=00ff10&length=20") { session in
                let secret = try await session.exportKeyingMaterial(label: "login", context: [0, 255, 16], count: 20)
                let answer = try await Self.answer(session)
                #expect(answer == secret.map { String(format: "%02x", $0) }.joined())
            }
        }
    }

    // MARK: Streams and datagrams

    @Test("/test/streams opens streams of both kinds, each of which says which one it is")
    func streams() async throws {
        try await Self.run { test in
            try await test.webTransport("/test/streams?count=2") { session in
                var bidirectional = session.incomingBidirectionalStreams.makeAsyncIterator()
                var unidirectional = session.incomingUnidirectionalStreams.makeAsyncIterator()
                for number in 0..<2 {
                    let both = try await #require(await bidirectional.next()).inbound.collect()
                    #expect(both == ByteBuffer(string: "stream \(number)"))
                    let one = try await #require(await unidirectional.next()).collect()
                    #expect(one == ByteBuffer(string: "stream \(number)"))
                }
            }
        }
    }

    @Test("/test/datagram-lengths answers a datagram's length, that of an empty one too")
    func datagramLengths() async throws {
        try await Self.run { test in
            try await test.webTransport("/test/datagram-lengths") { session in
                var datagrams = session.datagrams.makeAsyncIterator()
                for length in [0, 1, try await session.datagrams.maxDatagramSize] {
                    try await session.datagrams.send(ByteBuffer(repeating: 7, count: length))
                    let answer = await datagrams.next()
                    #expect(answer == ByteBuffer(string: "\(length)"))
                }
            }
        }
    }

    @Test("/test/reset gives up the client's streams with an application's code", arguments: [0, 30, .max] as [UInt32])
    func reset(code: UInt32) async throws {
        try await Self.run { test in
            try await test.webTransport("/test/reset?code=\(code)") { session in
                let stream = try await session.openBidirectionalStream()
                try await stream.outbound.write(ByteBuffer(string: "x"))
                let error = await #expect(throws: WebTransportError.self) { try await stream.inbound.collect() }
                #expect(error?.code == .streamReset)
                #expect(error?.applicationCode == code)
            }
        }
    }

    @Test("/test/reset of=server gives up a stream that the server opened, after the client learned whose it is")
    func ownReset() async throws {
        try await Self.run { test in
            try await test.webTransport("/test/reset?of=server&code=9") { session in
                for await stream in session.incomingBidirectionalStreams {
                    try await stream.outbound.write(ByteBuffer(string: "go on"))
                    let error = await #expect(throws: WebTransportError.self) { try await stream.inbound.collect() }
                    #expect(error?.applicationCode == 9)
                    break
                }
            }
        }
    }

    @Test("A code of HTTP/3's own is none of an application's (draft-ietf-webtrans-http3 § 4.4)")
    func rawCode() async throws {
        try await Self.run { test in
            // The first of the range, and one before it.
            for (code, expected) in [(0x52e4_a40f_a8db, 0), (0x52e4_a40f_a8da, nil)] as [(UInt64, UInt32?)] {
                try await test.webTransport("/test/reset?http3-code=\(code)") { session in
                    let stream = try await session.openBidirectionalStream()
                    try await stream.outbound.write(ByteBuffer(string: "x"))
                    let error = await #expect(throws: WebTransportError.self) { try await stream.inbound.collect() }
                    #expect(error?.code == .streamReset)
                    #expect(error?.applicationCode == expected)
                }
            }
        }
    }

    @Test("/test/stop gives up receiving a client's unidirectional stream")
    func stop() async throws {
        try await Self.run { test in
            try await test.webTransport("/test/stop?code=77") { session in
                let stream = try await session.openUnidirectionalStream()
                let error = await #expect(throws: WebTransportError.self) {
                    // More than may wait: a writer that is suspended learns of the stop.
                    while true { try await stream.write(ByteBuffer(repeating: 0, count: 1 << 16)) }
                }
                #expect(error?.code == .streamStopped)
                #expect(error?.applicationCode == nil || error?.applicationCode == 77)
            }
        }
    }

    @Test("/test/order says in which order streams arrived and ended")
    func order() async throws {
        struct Answer: Decodable {
            struct Run: Decodable { var stream, bytes: Int }
            var arrivals: [Run]
            var ends: [Int]
        }
        try await Self.run { test in
            try await test.webTransport("/test/order?streams=2") { session in
                for name in [5, 3] as [UInt8] {
                    let stream = try await session.openUnidirectionalStream()
                    try await stream.write(ByteBuffer(repeating: name, count: 100))
                    stream.finish()
                }
                let text = try #require(try await Self.answer(session))
                let answer = try JSONDecoder().decode(Answer.self, from: Data(text.utf8))
                #expect(answer.ends.sorted() == [3, 5])
                #expect(answer.arrivals.map(\.bytes).reduce(0, +) == 200)
            }
        }
    }

    @Test("/test/transfer sends what was asked for, and answers with the path's statistics")
    func transfer() async throws {
        try await Self.run { test in
            try await test.webTransport("/test/transfer?streams=3&bytes=5000&datagrams=2") { session in
                var streams = session.incomingUnidirectionalStreams.makeAsyncIterator()
                for _ in 0..<3 {
                    let bytes = try await #require(await streams.next()).collect()
                    #expect(bytes.readableBytes == 5000)
                }
                var datagrams = session.datagrams.makeAsyncIterator()
                for _ in 0..<2 {
                    let datagram = await datagrams.next()
                    #expect(datagram == ByteBuffer(bytes: [0]))
                }
                let question = try await session.openBidirectionalStream()
                question.outbound.finish()
                let answer = String(buffer: try await question.inbound.collect())
                let object = try JSONSerialization.jsonObject(with: Data(answer.utf8)) as? [String: Double]
                let statistics = try #require(object)
                #expect(try #require(statistics["smoothedRoundTrip"]) > 0)
                #expect(try #require(statistics["congestionWindow"]) > 1200)
                #expect(statistics["droppedIncomingDatagrams"] == 0)
            }
        }
    }

    // MARK: Ends

    @Test("/test/read-then-close closes when the client's stream has ended")
    func readThenClose() async throws {
        try await Self.run { test in
            let end = try await test.webTransport("/test/read-then-close?code=5&reason=read") { session in
                let stream = try await session.openBidirectionalStream()
                try await stream.outbound.write(ByteBuffer(string: "x"))
                stream.outbound.finish()
                return try await session.closed
            }
            #expect(end == .closedByPeer(.init(code: 5, reason: "read")))
        }
    }

    @Test("/test/close-connection ends the session without a close (draft-ietf-webtrans-http3 § 6)")
    func closeConnection() async throws {
        try await Self.run { test in
            let end = try await test.webTransport("/test/close-connection?http3-code=258") { session in
                let stream = try await session.openBidirectionalStream()
                stream.outbound.finish()
                return try await session.closed
            }
            guard case .abnormal(let what) = end else {
                Issue.record("the session ended with \(end)")
                return
            }
            #expect(what.contains("0x102"))
        }
    }

    @Test("/test/drain asks the client to finish, and the session goes on (draft-ietf-webtrans-http3 § 4.7)")
    func drain() async throws {
        try await Self.run { test in
            try await test.webTransport("/test/drain") { session in
                try await session.draining
                let stream = try await session.openBidirectionalStream()
                try await stream.outbound.write(ByteBuffer(string: "still here"))
                stream.outbound.finish()
                let echo = try await stream.inbound.collect()
                #expect(echo == ByteBuffer(string: "still here"))
            }
        }
    }

    // MARK: Tokens

    struct Record: Decodable {
        struct Stream: Decodable {
            var kind, end: String
            var code: UInt32?
            var bytes: Int
        }
        struct End: Decodable {
            var isAbnormal: Bool
            var code: UInt32?
            var reason: String
        }
        var sessions: Int
        var streams: [Stream]
        var end: End?
    }

    @Test(
        "A bad query gets 400",
        arguments: [
            "streams?count=1001", "streams?count=x", "streams?cuont=1", "reset?code=-1", "reset?of=nobody",
            "reset?code=1&http3-code=1", "stop?http3-code=4611686018427387904", "drain?now=1", "record",
            "record?token=",
            "record?token=a&write=2", "query", "query?token=a&streams=257", "count", "order?streams=0",
            "response?:status=199",
            "response?:status=600", "response?a%20b=1", "response?a=%0a", "export?context=abc", "export?context=xx",
            "export?length=0", "export?length=8161", "transfer?bytes=33554433", "read-then-close?code=4294967296",
            "close-connection?code=1", "protocol?chose=a", "datagram-lengths?a",
        ]
    )
    func badQueries(target: String) async throws {
        try await Self.run { test in
            let error = await #expect(throws: WebTransportError.self) {
                try await test.webTransport("/test/\(target)") { _ in }
            }
            #expect(error?.status?.code == 400)
        }
    }

    @Test("They are there for WebTransport only")
    func webSocket() async throws {
        try await Self.run { test in
            let error = await #expect(throws: WebSocketError.self) {
                try await test.webSocket("/test/streams") { _ in }
            }
            #expect(error?.response?.head.status.code == 404)
        }
    }
}
