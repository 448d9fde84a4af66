import HTTPTypes

/// Which web origins may open a session here (RFC 6454; RFC 6455 § 10.2; draft-ietf-webtrans-http3 § 3.3).
///
/// One policy serves WebTransport, WebSocket and CORS, so that a page that may use one may use them all.
/// A request without `Origin` does not come from a page and is allowed.
public struct OriginPolicy: Sendable, Hashable {
    /// Allowed beside the host's own origin: serialised origins (`https://example.org:8443`), or `*` for all.
    public var allowedOrigins: Set<String>

    /// Allows the host's own origin, and those on the list. Case and a slash at the end do not matter.
    public init(allowedOrigins: Set<String> = []) {
        self.allowedOrigins = Set(allowedOrigins.map(Self.normalised))
    }

    /// Why an origin was refused; it reads as one sentence for a log line.
    public struct Refusal: Error, Sendable, Hashable, CustomStringConvertible {
        /// The `Origin` field, as it came.
        public let origin: String
        /// The authority that the request was for; empty when it named none.
        public let authority: String

        public var description: String {
            "origin \(self.origin.debugDescription) is neither the host \(self.authority.debugDescription) itself nor "
                + "on the list of allowed origins; \(self.advice)"
        }

        /// A peer's text stands in a command only where it is an origin, which holds nothing that a shell would act on.
        private var advice: String {
            OriginPolicy.isSerializedOrigin(self.origin)
                ? "to allow it, start the server with --allow-origin \(self.origin)"
                : "it is no origin that could be allowed, and no browser sends it"
        }
    }

    /// Checks the `Origin` of a request to `authority`.
    ///
    /// The same *host* is enough: the lab page may come from the plain HTTP port and open a session on the TLS port.
    /// - Throws: `Refusal` when the origin is present and not allowed.
    public func check(origin: String?, authority: String?) throws(Refusal) {
        guard let origin, !self.allows(origin: origin, authority: authority) else { return }
        throw Refusal(origin: origin, authority: authority ?? "")
    }

    /// Whether pages of an origin may use what is at `authority`.
    func allows(origin: String, authority: String?) -> Bool {
        if self.allowedOrigins.contains("*") || self.allowedOrigins.contains(Self.normalised(origin)) { return true }
        guard let host = Self.host(ofOrigin: origin), let authority else { return false }
        return host == Self.host(ofAuthority: authority)
    }

    /// Whether a text can stand on the list: an origin as browsers write it, or `*`.
    public static func isOrigin(_ text: String) -> Bool {
        text == "*" || Self.isSerializedOrigin(text)
    }

    /// A scheme, a host and perhaps a port (RFC 6454 § 6.2); or what pages without one send: `null`, and `file://`.
    private static func isSerializedOrigin(_ text: String) -> Bool {
        let origin = Self.normalised(text)
        if origin == "null" || origin == Self.localFile { return true }
        guard let end = origin.firstRange(of: "://")?.upperBound,
            let host = Self.host(ofAuthority: String(origin[end...])),
            !host.isEmpty
        else { return false }
        let scheme = origin[..<end].dropLast(3)
        // RFC 3986 § 3.1; a path, a query or a blank belong to no origin (RFC 6454 § 6.2).
        return scheme.first?.isLetter == true
            && scheme.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) }
            && origin[end...].allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-._:[]".contains($0)) }
    }

    /// What Chromium sends for a WebSocket of a page that was opened from a file.
    private static let localFile = "file://"

    private static func normalised(_ origin: String) -> String {
        var origin = origin.lowercased()
        if origin.hasSuffix("/") && origin != Self.localFile { origin.removeLast() }
        return origin
    }

    /// The host of `scheme://host[:port]`, or nil for `null` and other opaque origins.
    private static func host(ofOrigin origin: String) -> String? {
        let origin = Self.normalised(origin)
        for scheme in ["https://", "http://"] where origin.hasPrefix(scheme) {
            return Self.host(ofAuthority: String(origin.dropFirst(scheme.count)))
        }
        return nil
    }

    /// The host of `host[:port]`; an IPv6 literal keeps its brackets (RFC 3986 § 3.2.2).
    private static func host(ofAuthority authority: String) -> String? {
        let authority = authority.lowercased()
        let end =
            if authority.hasPrefix("[") {
                authority.firstIndex(of: "]").map { authority.index(after: $0) }
            } else {
                authority.firstIndex(of: ":") ?? authority.endIndex
            }
        guard let end, end > authority.startIndex else { return nil }
        // Nothing but a port may follow: `host:x@elsewhere` would be another place than it seems.
        let port = authority[end...]
        guard port.isEmpty || port.first == ":" && port.dropFirst().allSatisfy(\.isWholeNumber) else { return nil }
        return String(authority[..<end])
    }
}
