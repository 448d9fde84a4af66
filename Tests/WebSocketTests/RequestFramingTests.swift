import HTTPSemantics
import HTTPTypes
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import WebSocket

/// Requests that two servers could understand in two ways. Each is followed by one that must not be answered.
@Suite("Request smuggling (RFC 9112 § 11.2)", .timeLimit(.minutes(5)))
struct RequestFramingTests {
    private static func hidden(isLast: Bool) -> String {
        "GET /hidden HTTP/1.1\r\nHost: a\r\n\(isLast ? "Connection: close\r\n" : "")\r\n"
    }

    private static func statuses(_ answer: [UInt8]) -> [String] {
        String(decoding: answer, as: UTF8.self).matches(of: /HTTP\/1\.1 ([0-9]{3})/).map { String($0.1) }
    }

    /// Sends a request and another one behind it, and answers the statuses of all responses, and the paths asked for.
    /// - Parameter last: the other one asks for the end of the connection.
    private static func send(_ text: String, last: Bool = false) async throws -> (statuses: [String], paths: [String]) {
        let paths = NIOLockedValueBox<[String]>([])
        let statuses = try await TestServer.run(
            configure: { configuration in
                configuration.resources = { request in
                    paths.withLockedValue { $0.append(request.path ?? "") }
                    return .text(.ok, "ok")
                }
            }
        ) { server in
            let raw = try await server.raw()
            raw.send(text + Self.hidden(isLast: last))
            return Self.statuses(try await raw.readToEnd())
        }
        return (statuses, paths.withLockedValue { $0 })
    }

    private static func post(_ fields: String, version: String = "1.1") -> String {
        "POST /a HTTP/\(version)\r\nHost: a\r\n\(fields)\r\n"
    }

    @Test(
        "A length that is not clear ends the connection with 400 (RFC 9112 § 6.1, § 6.3)",
        arguments: [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n",
            "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
            "Content-Length: 3, 3\r\n\r\nabc", "Content-Length: 3 3\r\n\r\nabc", "Content-Length: +3\r\n\r\nabc",
            "Content-Length: -3\r\n\r\nabc", "Content-Length: 0x3\r\n\r\nabc", "Content-Length: 3;\r\n\r\nabc",
            "Content-Length: \r\n\r\n", "Content-Length: 18446744073709551616\r\n\r\n",
            "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            "Transfer-Encoding: \u{b}chunked\r\n\r\n0\r\n",
            "Transfer-Encoding: \r\nContent-Length: 3\r\n\r\nabc",
            "Content-Length: 3\r\nTransfer-Encoding: \r\n\r\nabc",
        ]
    )
    func ambiguousLength(fields: String) async throws {
        let (statuses, paths) = try await Self.send(Self.post(fields))
        #expect(statuses == ["400"] && paths == [])
    }

    @Test("A transfer coding in HTTP/1.0 is 400 (RFC 9112 § 6.1)")
    func transferCodingInHTTP10() async throws {
        for coding in ["chunked", ""] {
            let fields = "Connection: keep-alive\r\nTransfer-Encoding: \(coding)\r\n"
            let (statuses, paths) = try await Self.send(Self.post(fields, version: "1.0") + "0\r\n\r\n")
            #expect(statuses == ["400"] && paths == [])
        }
    }

    @Test(
        "A transfer coding that is not understood is 501 (RFC 9112 § 6.1)",
        arguments: ["gzip, chunked", "xchunked", "\"chunked\"", "gzip", "identity", "", ",", ", chunked"]
    )
    func unknownTransferCoding(coding: String) async throws {
        let (statuses, paths) = try await Self.send(Self.post("Transfer-Encoding: \(coding)\r\n") + "0\r\n\r\n")
        #expect(statuses == ["501"] && paths == [])
    }

    @Test("A length beyond all counting is 413 at once", arguments: ["9223372036854775808", "18446744073709551615"])
    func hugeLength(length: String) async throws {
        let (statuses, paths) = try await Self.send(Self.post("Content-Length: \(length)\r\n"))
        #expect(statuses == ["413"] && paths == [])
    }

    @Test(
        "Chunks that are not well formed are 400 (RFC 9112 § 7.1)",
        arguments: [
            "zz\r\nabc\r\n0\r\n\r\n", "-3\r\nabc\r\n0\r\n\r\n", "+3\r\nabc\r\n0\r\n\r\n", "0x3\r\nabc\r\n0\r\n\r\n",
            "3\nabc\r\n0\r\n\r\n", "3\r\nabc\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "3 \r\nabc\r\n0\r\n\r\n",
            "3;a\nabc\r\n0\r\n\r\n", "10000000000000000\r\nabc\r\n0\r\n\r\n",
            "3\r\nabc\r\n0\r\nContent-Length: 9\r\n\r\n",
            "\r\n3\r\nabc\r\n0\r\n\r\n",
        ]
    )
    func chunks(body: String) async throws {
        let (statuses, paths) = try await Self.send(Self.post("Transfer-Encoding: chunked\r\n") + body)
        #expect(statuses == ["400"] && paths == [])
    }

    @Test(
        "Chunks that are, with extensions and trailers, are skipped, and the next request is answered",
        arguments: ["3\r\nabc\r\n0\r\n\r\n", "3;a=b\r\nabc\r\n0\r\n\r\n", "003\r\nabc\r\n0\r\nX: y\r\n\r\n"]
    )
    func goodChunks(body: String) async throws {
        let paths = NIOLockedValueBox<[String]>([])
        try await TestServer.run(
            configure: { configuration in
                configuration.resources = { request in
                    paths.withLockedValue { $0.append(request.path ?? "") }
                    return .text(.ok, "ok")
                }
            }
        ) { server in
            let raw = try await server.raw()
            let last = "GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            raw.send(Self.post("Transfer-Encoding: CHUNKED\r\n") + body + last)
            #expect(Self.statuses(try await raw.readToEnd()) == ["405", "200"])
        }
        #expect(paths.withLockedValue { $0 } == ["/next"])
    }

    @Test(
        "A blank behind a value is no part of it (RFC 9112 § 5.1)",
        arguments: [
            ("Host: a ", ""), ("Host: a\t ", ""), ("Host: a", "Content-Length: 3 \r\n"),
            ("Host: a", "Transfer-Encoding: chunked \r\n"),
        ]
    )
    func blanks(host: String, fields: String) async throws {
        let body = fields.isEmpty ? "" : fields.hasPrefix("C") ? "abc" : "0\r\n\r\n"
        let (statuses, paths) = try await Self.send("POST /a HTTP/1.1\r\n\(host)\r\n\(fields)\r\n\(body)", last: true)
        #expect(statuses == ["405", "200"] && paths == ["/hidden"])
    }

    @Test(
        "Lines that are not well formed are 400 (RFC 9112 § 2.2, § 5)",
        arguments: [
            // A space before the colon, and line folding.
            "X : y\r\n", "X\t: y\r\n", "Transfer-Encoding : chunked\r\n", "X: y\r\n z\r\n", "Content-Length:\r\n 3\r\n",
            // LF alone, CR alone, NUL.
            "X: y\nContent-Length: 3\r\n", "X: y\rContent-Length: 3\r\n", "X: y\0\r\n", "X\0: y\r\n",
            "no colon\r\n", ": y\r\n", "X(y): z\r\n",
        ]
    )
    func lines(fields: String) async throws {
        let (statuses, paths) = try await Self.send("GET /a HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
        #expect(statuses == ["400"] && paths == [])
    }

    @Test(
        "A request line that is not well formed is 400 (RFC 9112 § 3)",
        arguments: [
            "GET /a HTTP/1.1\nHost: a\n\n", "GET /a HTTP/1.1\rHost: a\r\r", "GET /a HTTP/1.1\r\n Host: a\r\n\r\n",
            " GET /a HTTP/1.1\r\nHost: a\r\n\r\n", "GET\t/a HTTP/1.1\r\nHost: a\r\n\r\n",
            "get /a HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a\0 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET a HTTP/1.1\r\nHost: a\r\n\r\n", "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a http/1.1\r\nHost: a\r\n\r\n", "GET /a HTTP/2.0\r\nHost: a\r\n\r\n", "GET /a\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ]
    )
    func requestLine(text: String) async throws {
        let (statuses, paths) = try await Self.send(text)
        #expect(statuses == ["400"] && paths == [])
    }

    @Test(
        "A host that cannot be one is 400 (RFC 9112 § 3.2)",
        arguments: ["", "a b", "a, b", "a/b", "u@a", "a:b", "a:1:2", "[::1", "[a/b]", "[::1]x", ":80", "http://a"]
    )
    func host(host: String) async throws {
        let (statuses, paths) = try await Self.send("GET /a HTTP/1.1\r\nHost: \(host)\r\n\r\n")
        #expect(statuses == ["400"] && paths == [])
    }

    @Test(
        "An absolute form decides on the authority, whatever Host says (RFC 9112 § 3.2.2)",
        arguments: [
            ("http://b:81/x?y", "b:81", "/x?y"), ("HTTP://b", "b", "/"), ("http://[::1]?y", "[::1]", "/?y"),
            ("/x", "a", "/x"),
        ]
    )
    func absoluteForm(target: String, authority: String, path: String) async throws {
        let seen = NIOLockedValueBox<HTTPRequest?>(nil)
        try await TestServer.run(
            configure: { configuration in
                configuration.resources = { request in
                    seen.withLockedValue { $0 = request }
                    return .text(.ok, "ok")
                }
            }
        ) { server in
            let raw = try await server.raw()
            raw.send("GET \(target) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(Self.statuses(try await raw.readToEnd()) == ["200"])
        }
        let request = seen.withLockedValue { $0 }
        #expect(request?.authority == authority && request?.path == path)
    }

    @Test(
        "An absolute form that is not for this server is refused (RFC 9110 § 4.2, § 7.4)",
        arguments: [
            ("https://a/", "421"), ("ftp://a/", "421"), ("http://u@a/", "400"), ("http:///", "400"), ("http:/a", "400"),
        ]
    )
    func foreignForm(target: String, status: String) async throws {
        let (statuses, paths) = try await Self.send("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(statuses == [status] && paths == [])
    }

    @Test("A page of another host cannot borrow an origin with an absolute form (RFC 6455 § 10.2)")
    func originOfAbsoluteForm() async throws {
        try await TestServer.run { server in
            let raw = try await server.raw()
            let upgrade = RawConnection.upgrade("http://b/echo", fields: "Origin: http://127.0.0.1\r\n")
            raw.send(upgrade)
            #expect(Self.statuses(try await raw.readToEnd()) == ["403"])
        }
    }

    @Test("Nothing behind a request for an upgrade that fails is answered")
    func behindUpgrade() async throws {
        let (statuses, paths) = try await Self.send(
            "GET /a HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
        )
        #expect(statuses == ["200"] && paths == ["/a"])
    }

    @Test("A target that is too long is 414, and what exceeds the limits of fields 431, as soon as that is clear")
    func sizes() async throws {
        func status(_ text: String) async throws -> [String] {
            try await TestServer.run { server in
                let raw = try await server.raw()
                raw.send(text)
                return Self.statuses(try await raw.readToEnd())
            }
        }
        let long = String(repeating: "x", count: 8_000)
        #expect(try await status("GET /\(long) HTTP/1.1\r\nHost: a\r\n\r\n") == ["414"])
        // Neither of these ever ends.
        #expect(try await status("GET /\(long)\(long)\(long)") == ["431"])
        #expect(try await status("GET / HTTP/1.1\r\nHost: a\r\nX: \(long)\(long)\(long)") == ["431"])
        let many = (0..<200).map { "X\($0): y\r\n" }.joined()
        #expect(try await status("GET / HTTP/1.1\r\nHost: a\r\n\(many)") == ["431"])
        let large = (0..<20).map { "X\($0): \(long)\r\n" }.joined()
        #expect(try await status("GET / HTTP/1.1\r\nHost: a\r\n\(large)") == ["431"])
    }

    @Test(
        "A header that comes a byte at a time is given up at the same time as one that stops",
        arguments: [
            "GET / HTTP/1.1\r\nHost: a\r\nX: ", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nea60\r\n",
        ]
    )
    func slowBytes(start: String) async throws {
        try await TestServer.run(configure: { $0.keepAliveTimeout = .milliseconds(200) }) { server in
            let raw = try await server.raw()
            // In one write with a whole request, after which the time begins, so that both have arrived by then.
            raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n" + start)
            let channel = raw.channel
            let sending = Task {
                // Ends with the connection.
                while true {
                    try await channel.writeAndFlush(ByteBuffer(string: "x"))
                    try await channel.eventLoop.scheduleTask(in: .milliseconds(5)) {}.futureResult.get()
                }
            }
            let statuses = Self.statuses(try await raw.readToEnd())
            // Before the end of a header there is no request to answer.
            #expect(statuses == (start.hasPrefix("GET") ? ["404"] : ["404", "408"]))
            sending.cancel()
            channel.close(promise: nil)
            _ = await sending.result
        }
    }
}
