import HTTPSemantics
import Testing

@Suite("Which web origins may open a session")
struct OriginPolicyTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var origin: String?
        var authority: String?
        var allowed: Set<String> = []
        var testDescription: String { "\(self.origin ?? "none") at \(self.authority ?? "nowhere")" }
    }

    @Test(
        "Allowed: no origin, the same host on any port, and what is listed",
        arguments: [
            // Not a page.
            Case(origin: nil, authority: "localhost:4433"),
            Case(origin: nil, authority: nil),
            // The lab page on the plain port.
            Case(origin: "http://localhost:8080", authority: "localhost:4433"),
            Case(origin: "https://example.org", authority: "example.org:4433"),
            Case(origin: "https://example.org:4433", authority: "example.org"),
            Case(origin: "HTTPS://Example.ORG", authority: "example.org"),
            Case(origin: "https://example.org", authority: "EXAMPLE.org:443"),
            Case(origin: "https://example.org/", authority: "example.org"),
            Case(origin: "http://[::1]:8080", authority: "[::1]:4433"),
            Case(origin: "http://[2001:DB8::1]", authority: "[2001:db8::1]"),
            Case(origin: "https://friend.example", authority: "example.org", allowed: ["https://friend.example"]),
            Case(origin: "https://friend.example", authority: "example.org", allowed: ["https://Friend.example/"]),
            Case(origin: "https://friend.example:8443", authority: nil, allowed: ["https://friend.example:8443"]),
            Case(origin: "null", authority: "example.org", allowed: ["null"]),
            Case(origin: "https://any.example", authority: "example.org", allowed: ["*"]),
            Case(origin: "null", authority: "example.org", allowed: ["*"]),
        ]
    )
    func allowed(_ test: Case) {
        #expect(throws: Never.self) {
            try OriginPolicy(allowedOrigins: test.allowed).check(origin: test.origin, authority: test.authority)
        }
    }

    @Test(
        "Refused: other hosts, opaque origins, and what only looks alike",
        arguments: [
            Case(origin: "https://evil.example", authority: "example.org"),
            Case(origin: "https://evil.example.org", authority: "example.org"),
            Case(origin: "https://example.org.evil.example", authority: "example.org"),
            Case(origin: "https://example.org@evil.example", authority: "example.org"),
            // Something stands behind the host that is no port.
            Case(origin: "https://example.org:x@evil.example", authority: "example.org"),
            Case(origin: "https://[::1]evil.example", authority: "[::1]"),
            // Two fields of that name, as they come out of a message.
            Case(origin: "https://example.org, https://evil.example", authority: "example.org"),
            Case(origin: "https://evil.example, https://example.org", authority: "example.org"),
            Case(origin: "null", authority: "example.org"),
            Case(origin: "null", authority: "null"),
            Case(origin: "", authority: "example.org"),
            Case(origin: "https://", authority: ""),
            Case(origin: "file://example.org", authority: "example.org"),
            Case(origin: "https://example.org", authority: nil),
            Case(origin: "http://[::2]", authority: "[::1]"),
            Case(origin: "http://[::1", authority: "[::1"),
            // Three names of one machine are three hosts.
            Case(origin: "http://127.0.0.1:8080", authority: "localhost:4433"),
            // A listed origin is an origin: scheme and port count.
            Case(origin: "http://friend.example", authority: "example.org", allowed: ["https://friend.example"]),
            Case(origin: "https://friend.example:1", authority: "example.org", allowed: ["https://friend.example"]),
            Case(origin: "https://a.example", authority: "example.org", allowed: ["*.example"]),
        ]
    )
    func refused(_ test: Case) {
        let refusal = #expect(throws: OriginPolicy.Refusal.self) {
            try OriginPolicy(allowedOrigins: test.allowed).check(origin: test.origin, authority: test.authority)
        }
        #expect(refusal?.origin == test.origin)
        #expect(refusal?.authority == test.authority ?? "")
    }

    @Test("A refusal says what was refused, why, and how to allow it, in one line")
    func refusalText() throws {
        let refusal = try #require(throws: OriginPolicy.Refusal.self) {
            try OriginPolicy().check(origin: "https://evil.example", authority: "example.org:4433")
        }
        let text = refusal.description
        #expect(text.contains("\"https://evil.example\""))
        #expect(text.contains("\"example.org:4433\""))
        #expect(text.hasSuffix("--allow-origin https://evil.example"))
    }

    @Test("What a refusal advises is accepted, and then allows the origin", arguments: OriginPolicyTests.browserOrigins)
    func adviceWorks(_ origin: String) throws {
        let refusal = try #require(throws: OriginPolicy.Refusal.self) {
            try OriginPolicy().check(origin: origin, authority: "host.example")
        }
        let advised = try #require(refusal.description.split(separator: "--allow-origin ").last).description
        #expect(OriginPolicy.isOrigin(advised))
        #expect(throws: Never.self) {
            try OriginPolicy(allowedOrigins: [advised]).check(origin: origin, authority: "host.example")
        }
    }

    static let browserOrigins = [
        "https://example.org", "http://localhost:8080", "https://[::1]:4433", "chrome-extension://abcdef", "null",
        "file://",
    ]

    @Test(
        "What is no origin gets no advice: a peer's text does not come into a command",
        arguments: [
            "*", "", "https://a;reboot", "https://$(reboot)", "https://a b", "file:///etc", "--host", "https://a/b",
        ]
    )
    func noAdvice(_ origin: String) throws {
        let refusal = try #require(throws: OriginPolicy.Refusal.self) {
            try OriginPolicy().check(origin: origin, authority: "host.example")
        }
        #expect(!refusal.description.contains("--allow-origin"))
    }

    @Test("Only origins can stand on the list")
    func origins() {
        for text in Self.browserOrigins + ["*", "HTTPS://Example.org/"] {
            #expect(OriginPolicy.isOrigin(text), "\(text)")
        }
        for text in [
            "", "example.org", "https://", "https://a b", "not an origin", "https://a/b", "https://a:b", "://a",
        ] {
            #expect(!OriginPolicy.isOrigin(text), "\(text)")
        }
    }
}
