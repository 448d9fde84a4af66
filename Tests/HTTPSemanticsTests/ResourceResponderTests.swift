import HTTPTypes
import NIOCore
import Testing

@testable import HTTPSemantics

@Suite("Answers that every version of HTTP gives")
struct ResourceResponderTests {
    private static let responder = ResourceResponder(
        { request in
            switch request.path {
            case "/shared":
                var response = ResourceResponse.text(.ok, "for all")
                response.head.headerFields[.accessControlAllowOrigin] = "*"
                return response
            case "/": return .text(.ok, "hello")
            default: return .text(.notFound, "nothing")
            }
        },
        originPolicy: OriginPolicy(allowedOrigins: ["https://friend.example"])
    )

    private static func respond(
        _ method: HTTPRequest.Method,
        _ path: String = "/",
        _ fields: HTTPFields = [:]
    ) -> ResourceResponse {
        let request = HTTPRequest(
            method: method,
            scheme: "https",
            authority: "host:4433",
            path: path,
            headerFields: fields
        )
        return Self.responder.response(to: request)
    }

    @Test("RFC 9110 § 9.3.2: HEAD has GET's fields, and no body", arguments: ["/", "/nothing"])
    func head(path: String) {
        let get = Self.respond(.get, path)
        let head = Self.respond(.head, path)
        #expect(head.head == get.head)
        #expect(get.body.readableBytes > 0 && head.body.readableBytes == 0)
        #expect(head.head.headerFields[.contentLength] == "\(get.body.readableBytes)")
    }

    @Test(
        "RFC 9110 § 15.5.6: another method is 405 with Allow",
        arguments: [HTTPRequest.Method.post, .put, .delete, .options, .trace, .patch, .init("BREW")!]
    )
    func methods(method: HTTPRequest.Method) {
        let response = Self.respond(method)
        #expect(response.head.status == .methodNotAllowed)
        #expect(response.head.headerFields[.allow] == "GET, HEAD")
    }

    @Test(
        "Fetch § 3.3.3: a page may read what the origin policy allows, and says so to caches",
        arguments: [
            ("https://friend.example", true), ("http://host:8080", true), ("https://evil.example", false),
            ("null", false), ("https://host.evil.example", false), ("https://friend.example.evil", false),
        ]
    )
    func sharing(origin: String, isAllowed: Bool) {
        for method in [HTTPRequest.Method.get, .head, .post] {
            let fields = Self.respond(method, "/", [.origin: origin]).head.headerFields
            #expect(fields[.accessControlAllowOrigin] == (isAllowed ? origin : nil))
            #expect(fields[.vary] == "Origin")
        }
        let preflight = Self.respond(
            .options,
            "/",
            [.origin: origin, .accessControlRequestMethod: "GET", .accessControlRequestHeaders: "x-own"]
        ).head
        #expect(preflight.status == (isAllowed ? .noContent : .forbidden))
        #expect(preflight.headerFields[.accessControlAllowOrigin] == (isAllowed ? origin : nil))
        #expect(preflight.headerFields[.accessControlAllowMethods] == (isAllowed ? "GET, HEAD" : nil))
        #expect(preflight.headerFields[.accessControlAllowHeaders] == (isAllowed ? "x-own" : nil))
    }

    @Test("RFC 9110 § 8.6: 204 has no length")
    func preflightHasNoLength() {
        let response = Self.respond(.options, "/", [.origin: "http://host", .accessControlRequestMethod: "GET"])
        #expect(response.head.status == .noContent)
        #expect(response.head.headerFields[.contentLength] == nil)
    }

    @Test("Without Origin nothing is shared, and the answer says that it would depend on it")
    func noOrigin() {
        let fields = Self.respond(.get).head.headerFields
        #expect(fields[.accessControlAllowOrigin] == nil)
        #expect(fields[.vary] == "Origin")
    }

    @Test("A resource that is for every page stays so")
    func shared() {
        let fields = Self.respond(.get, "/shared", [.origin: "https://evil.example"]).head.headerFields
        #expect(fields[values: .accessControlAllowOrigin] == ["*"])
        #expect(fields[.vary] == nil)
    }
}
