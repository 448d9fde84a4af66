import NIOCore

/// The URL of a session: `https`, `wss`, `http` or `ws`, an authority, a path and a query (RFC 3986 § 3).
public struct SessionURL: Sendable, Hashable {
    /// In lower case.
    public let scheme: String
    /// A name or an address; an IPv6 address without its brackets.
    public let host: String
    /// As given, or the scheme's default.
    public let port: Int
    /// Path and query, beginning with `/`.
    public let path: String

    /// Why a text is no URL of a session.
    public struct Invalid: Error, Sendable, Hashable {
        /// It completes a sentence that begins with the URL: "it has no host".
        public let reason: String

        init(_ reason: String) {
            self.reason = reason
        }
    }

    /// Nil when `init(validating:)` throws.
    public init?(_ text: String) {
        do {
            try self.init(validating: text)
        } catch {
            return nil
        }
    }

    /// Takes a URL apart.
    /// - Throws: what is wrong with it: the scheme, the host, the port, or characters that no URL contains.
    public init(validating text: String) throws(Invalid) {
        guard let separator = text.firstRange(of: "://") else { throw Invalid("it has no scheme") }
        self.scheme = text[..<separator.lowerBound].lowercased()
        guard Self.defaultPorts[self.scheme] != nil else { throw Invalid("its scheme is not one of https, wss and ws") }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            throw Invalid("it holds blanks or letters that must be percent-encoded")
        }
        let rest = text[separator.upperBound...]
        // Neither kind of session has a use for one (RFC 6455 § 3; W3C WebTransport § 6.2).
        guard !rest.contains("#") else { throw Invalid("it has a fragment") }
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let target = rest[authority.endIndex...]
        self.path = target.hasPrefix("/") ? String(target) : "/" + target
        // User information is not for sessions, and hides where a URL leads (RFC 9110 § 4.2.4).
        guard !authority.contains("@") else { throw Invalid("it holds a user name") }
        (self.host, self.port) = try Self.split(authority, defaultPort: Self.defaultPorts[self.scheme])
    }

    private static let defaultPorts = ["https": 443, "wss": 443, "http": 80, "ws": 80]

    private static func split(
        _ authority: Substring,
        defaultPort: Int?
    ) throws(Invalid) -> (host: String, port: Int) {
        let host: Substring
        let portText: Substring
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { throw Invalid("a bracket is missing") }
            host = authority[..<end].dropFirst()
            portText = authority[end...].dropFirst()
        } else {
            host = authority.prefix { $0 != ":" }
            portText = authority[host.endIndex...]
        }
        guard !host.isEmpty else { throw Invalid("it has no host") }
        guard host.utf8.allSatisfy(Self.isOfHost) else { throw Invalid("its host holds a character that no host has") }
        if authority.hasPrefix("[") {
            guard case .v6? = try? SocketAddress(ipAddress: String(host), port: 0) else {
                throw Invalid("what its brackets hold is no IPv6 address")
            }
        }
        // RFC 3986 § 3.2.3: the port may be empty.
        if portText.isEmpty || portText == ":", let defaultPort { return (String(host), defaultPort) }
        let digits = portText.dropFirst()
        guard portText.first == ":", digits.allSatisfy(\.isNumber), let port = UInt16(digits), port > 0 else {
            throw Invalid("its port is not a number from 1 to 65535")
        }
        return (String(host), Int(port))
    }

    /// What a registered name consists of, or an address between brackets (RFC 3986 § 3.2.2).
    private static func isOfHost(_ byte: UInt8) -> Bool {
        let isLetter = UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20
        return isLetter || "0123456789-._~%!$&'()*+,;=:".utf8.contains(byte)
    }

    /// Whether the way to the server is encrypted.
    public var isSecure: Bool { self.scheme == "https" || self.scheme == "wss" }

    /// Host and port for `:authority` and `Host`: without the scheme's default port (RFC 9110 § 4.2.3).
    public var authority: String {
        let host = self.host.contains(":") ? "[\(self.host)]" : self.host
        return self.port == Self.defaultPorts[self.scheme] ? host : "\(host):\(self.port)"
    }
}
