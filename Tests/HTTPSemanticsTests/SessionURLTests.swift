import HTTPSemantics
import Testing

@Suite("URLs of sessions (RFC 3986 § 3)")
struct SessionURLTests {
    @Test("A URL is taken apart")
    func parts() throws {
        let url = try #require(SessionURL("https://Example.org:4433/a/b?c=d&e=/f"))
        #expect(url.scheme == "https")
        #expect(url.host == "Example.org")
        #expect(url.port == 4433)
        #expect(url.path == "/a/b?c=d&e=/f")
        #expect(url.authority == "Example.org:4433")
    }

    @Test(
        "Each scheme has its default port, which the authority leaves out",
        arguments: ["https", "wss", "http", "ws"]
    )
    func defaultPorts(scheme: String) throws {
        let isSecure = scheme.hasSuffix("s") && scheme != "ws"
        let port = isSecure ? 443 : 80
        for text in ["\(scheme)://a", "\(scheme.uppercased())://a:/", "\(scheme)://a:\(port)"] {
            let url = try #require(SessionURL(text))
            #expect(url.scheme == scheme)
            #expect(url.isSecure == isSecure)
            #expect(url.port == port)
            #expect(url.authority == "a")
            #expect(url.path == "/")
        }
        // The other schemes' default is not this one's.
        let other = try #require(SessionURL("\(scheme)://a:\(523 - port)"))
        #expect(other.authority == "a:\(523 - port)")
    }

    @Test("An IPv6 address loses its brackets as a host and keeps them in the authority (RFC 3986 § 3.2.2)")
    func addresses() throws {
        let url = try #require(SessionURL("https://[2001:db8::1]:1/"))
        #expect(url.host == "2001:db8::1")
        #expect(url.authority == "[2001:db8::1]:1")
        #expect(SessionURL("https://[::1]?x")?.path == "/?x")
        #expect(SessionURL("https://[::1]?x")?.authority == "[::1]")
    }

    @Test(
        "What is none is refused, with the reason",
        arguments: [
            ("", "it has no scheme"),
            ("localhost:4433", "it has no scheme"),
            ("https:/localhost", "it has no scheme"),
            ("ftp://a", "its scheme is not one of https, wss and ws"),
            ("://a", "its scheme is not one of https, wss and ws"),
            ("https://", "it has no host"),
            ("https:///path", "it has no host"),
            ("https://:80", "it has no host"),
            ("https://[]:80", "it has no host"),
            ("https://a:b", "its port is not a number from 1 to 65535"),
            ("https://a:0", "its port is not a number from 1 to 65535"),
            ("https://a:65536", "its port is not a number from 1 to 65535"),
            ("https://a:-1", "its port is not a number from 1 to 65535"),
            ("https://a:+1", "its port is not a number from 1 to 65535"),
            ("https://::1:80", "it has no host"),
            ("https://[::1]x", "its port is not a number from 1 to 65535"),
            ("https://[::1", "a bracket is missing"),
            ("https://[[::1]:80", "its host holds a character that no host has"),
            ("https://a\\b", "its host holds a character that no host has"),
            ("https://a\"b", "its host holds a character that no host has"),
            ("https://[a.example]", "what its brackets hold is no IPv6 address"),
            ("https://[127.0.0.1]", "what its brackets hold is no IPv6 address"),
            ("https://user@a", "it holds a user name"),
            ("https://user:secret@a", "it holds a user name"),
            ("https://a/#f", "it has a fragment"),
            ("https://a/ b", "it holds blanks or letters that must be percent-encoded"),
            ("https://a/\u{e4}", "it holds blanks or letters that must be percent-encoded"),
            ("https://a/\r\nHost: b", "it holds blanks or letters that must be percent-encoded"),
        ]
    )
    func invalid(text: String, reason: String) {
        let error = #expect(throws: SessionURL.Invalid.self) { try SessionURL(validating: text) }
        #expect(error?.reason == reason)
        #expect(SessionURL(text) == nil)
    }
}
