import ApusServer
import Credentials
import Testing

@Suite("Files and facts over HTTP/1.1", .timeLimit(.minutes(1)))
struct SiteTests {
    typealias Way = TestServer.Way

    @Test("/healthz says ok", arguments: Way.allCases)
    func health(way: Way) async throws {
        try await TestServer.run { test in
            let response = try await test.request("/healthz", over: way)
            #expect(response.status == "200")
            #expect(response.body == "ok")
        }
    }

    @Test(
        "/api/certificate says both ports and the hash, to pages of any origin, never from a cache",
        arguments: Way.allCases
    )
    func certificate(way: Way) async throws {
        try await TestServer.run { test in
            let response = try await test.request("/api/certificate", over: way)
            let fingerprint = test.server.identities.current.fingerprint
            #expect(response.status == "200")
            #expect(response.fields["content-type"] == "application/json")
            #expect(response.fields["cache-control"] == "no-store")
            #expect(response.fields["access-control-allow-origin"] == "*")
            #expect(response.body.contains("\"sha256\":\"\(fingerprint.hexadecimal)\""))
            #expect(response.body.contains("\"base64\":\"\(fingerprint.base64)\""))
            #expect(response.body.contains("\"port\":\(test.server.port)"))
            #expect(response.body.contains("\"httpPort\":\(test.server.httpPort)"))
        }
    }

    @Test("/ is the lab page, and every file that it names is there with its media type", arguments: Way.allCases)
    func labPage(way: Way) async throws {
        try await TestServer.run { test in
            let page = try await test.request("/", over: way)
            #expect(page.status == "200")
            #expect(page.fields["content-type"] == "text/html; charset=utf-8")
            #expect(page.fields["x-content-type-options"] == "nosniff")
            let names = page.body.matches(of: /"\/?lab\/([A-Za-z0-9._-]+)"/).map { String($0.1) }
            #expect(names.count >= 2)
            for name in Set(names) {
                let file = try await test.request("/lab/\(name)", over: way)
                #expect(file.status == "200", "\(name)")
                let type =
                    name.hasSuffix(".js") ? "text/javascript" : name.hasSuffix(".css") ? "text/css" : "image/svg+xml"
                #expect(file.fields["content-type"]?.hasPrefix(type) == true, "\(name)")
                #expect(file.fields["content-length"] == "\(file.body.utf8.count)")
            }
        }
    }

    @Test(
        "What is not there is 404, and no path leads out of the lab's folder",
        arguments: [
            "/nothing", "/lab/", "/lab", "/lab/nothing.js", "/lab/../index.html", "/lab/%2e%2e/Package.swift",
            "/lab/..%2f..%2fPackage.swift", "/lab/%2E%2E%5C..%5CPackage.swift", "/lab/..;/index.html",
            "/lab//etc/passwd",
            "/lab/../../../../../../../../etc/passwd", "/lab/%252e%252e/index.html", "/lab/index.html%00.js",
            "/../index.html", "//lab/index.html", "/lab/./index.html", "/LAB/index.html", "/lab/index.html/",
        ],
        Way.allCases
    )
    func notFound(path: String, way: Way) async throws {
        try await TestServer.run { test in
            let status = try await test.request(path, over: way).status
            #expect(status == "404")
        }
    }

    @Test("A path of sessions says what it is for, as it has nothing for GET", arguments: Way.allCases)
    func sessionPath(way: Way) async throws {
        try await TestServer.run { test in
            let response = try await test.request("/echo", over: way)
            #expect(response.status == "404")
            #expect(response.body.contains("WebTransport or WebSocket"))
        }
    }

    @Test("/test/body is as long as it is asked to be, and not there unless asked for", arguments: Way.allCases)
    func body(way: Way) async throws {
        try await TestServer.run {
            $0.testEndpoints = true
        } _: { test in
            for count in [0, 1, 100_000] {
                let response = try await test.request("/test/body?bytes=\(count)", over: way)
                #expect(response.status == "200")
                #expect(response.body.utf8.count == count)
            }
            for query in ["bytes=-1", "bytes=1048577", "bytes=x", "size=1"] {
                let response = try await test.request("/test/body?\(query)", over: way)
                #expect(response.status == "400")
            }
        }
        try await TestServer.run { test in
            let response = try await test.request("/test/body", over: way)
            #expect(response.status == "404")
        }
    }

    @Test("HEAD is GET without the body (RFC 9110 § 9.3.2)", arguments: ["/", "/healthz", "/nothing"], Way.allCases)
    func head(path: String, way: Way) async throws {
        try await TestServer.run { test in
            let get = try await test.request("GET", path, over: way)
            let head = try await test.request("HEAD", path, over: way)
            #expect(head.status == get.status)
            #expect(head.body.isEmpty)
            #expect(head.fields["content-length"] == "\(get.body.utf8.count)")
            #expect(head.fields["content-type"] == get.fields["content-type"])
        }
    }

    @Test("Another method is 405 with Allow (RFC 9110 § 15.5.6)", arguments: ["POST", "DELETE", "OPTIONS"])
    func methods(method: String) async throws {
        try await TestServer.run { test in
            let response = try await test.request(method, "/healthz", over: .plain)
            #expect(response.status == "405")
            #expect(response.fields["allow"] == "GET, HEAD")
        }
    }

    @Test("Alt-Svc names the port of HTTP/3 (RFC 7838 § 3)", arguments: Way.allCases)
    func alternativeService(way: Way) async throws {
        try await TestServer.run { test in
            let field = try await test.request("/healthz", over: way).fields["alt-svc"]
            #expect(field == "h3=\":\(test.server.port)\"; ma=86400")
        }
    }
}

extension TestServer {
    fileprivate func request(_ path: String, over way: Way) async throws -> Response {
        try await self.request("GET", path, over: way)
    }
}
