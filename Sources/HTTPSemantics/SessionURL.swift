/// The URL of a session: `https`, `wss` or `ws`, an authority, a path and a query (RFC 3986 § 3).
public struct SessionURL: Sendable, Hashable {
    public let scheme: String
    /// A name or an address; an IPv6 address without its brackets.
    public let host: String
    /// As given, or the scheme's default.
    public let port: Int
    /// Path and query, beginning with `/`.
    public let path: String
    /// Host and port as they were written, for `:authority` and `Host`.
    public let authority: String

    private static let defaultPorts = ["https": 443, "wss": 443, "http": 80, "ws": 80]

    /// Nil when the text has no known scheme, no host, a bad port, or characters that no URL contains.
    public init?(_ text: String) {
        guard let separator = text.firstRange(of: "://") else { return nil }
        self.scheme = text[..<separator.lowerBound].lowercased()
        guard let defaultPort = Self.defaultPorts[self.scheme] else { return nil }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
        let rest = text[separator.upperBound...].prefix { $0 != "#" }
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let target = rest[authority.endIndex...]
        self.path = target.hasPrefix("/") ? String(target) : "/" + target
        // User information is not for sessions, and hides where a URL leads (RFC 9110 § 4.2.4).
        guard !authority.isEmpty, !authority.contains("@") else { return nil }
        self.authority = String(authority)
        let portText: Substring
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            self.host = String(authority[authority.index(after: authority.startIndex)..<end])
            portText = authority[authority.index(after: end)...]
        } else {
            self.host = String(authority.prefix { $0 != ":" })
            portText = authority[authority.index(authority.startIndex, offsetBy: self.host.count)...]
        }
        guard !self.host.isEmpty else { return nil }
        if portText.isEmpty {
            self.port = defaultPort
        } else {
            guard portText.first == ":", let port = UInt16(portText.dropFirst()), port > 0 else { return nil }
            self.port = Int(port)
        }
    }
}
