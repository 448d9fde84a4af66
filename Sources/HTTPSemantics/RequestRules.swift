package import HTTPTypes

/// Why a request that its version of HTTP has let through is not answered as it asks.
package struct InvalidRequest: Error, Hashable {
    package var status: HTTPResponse.Status
    /// For the response's body, in one line.
    package var reason: String

    package init(status: HTTPResponse.Status = .badRequest, reason: String) {
        self.status = status
        self.reason = reason
    }

    package var response: ResourceResponse { .text(self.status, "\(self.reason)\n") }
}

// What holds over every version of HTTP.
extension HTTPRequest {
    /// In bytes, what RFC 9112 § 3 recommends to support. Beyond it comes 414.
    package static let maximumTarget = 8_000

    /// In bytes. Requests that are answered have no body to speak of: a small one is read and dropped.
    package static let maximumBody = 64 << 10

    package static let targetTooLong = InvalidRequest(
        status: .uriTooLong,
        reason: "the request's target is longer than \(Self.maximumTarget) bytes"
    )
    package static let bodyTooLarge = InvalidRequest(
        status: .contentTooLarge,
        reason: "requests with a body of more than \(Self.maximumBody) bytes are not accepted"
    )

    /// Rules for the pseudo-header fields of HTTP/2 and HTTP/3, which stand for a request line (RFC 9113 § 8.3.1;
    /// RFC 9114 § 4.3.1), and for sizes.
    package func checkPseudoHeaderFields() throws(InvalidRequest) {
        // Host stands in for `:authority`, and must not contradict it.
        let hosts = self.headerFields[values: .init("host")!]
        guard let authority = self.authority, Self.isAuthority(authority), hosts.allSatisfy({ $0 == authority }) else {
            throw InvalidRequest(reason: "the request names no host, more than one, or something that cannot be one")
        }
        // RFC 8441 § 4; RFC 9220 § 3. A CONNECT that is not extended has neither.
        guard self.extendedConnectProtocol == nil || (self.scheme != nil && self.path != nil) else {
            throw InvalidRequest(reason: "an extended CONNECT has a scheme and a path")
        }
        // RFC 9110 § 7.4.
        guard (self.scheme ?? "https") == "https" else {
            throw InvalidRequest(status: .misdirectedRequest, reason: "only https URIs are answered here")
        }
        guard self.path.map({ $0.hasPrefix("/") && !$0.contains("#") }) ?? true || self.method == .options else {
            throw InvalidRequest(reason: "the path does not begin with a slash, or has a fragment")
        }
        guard (self.path ?? "").utf8.count <= Self.maximumTarget else { throw Self.targetTooLong }
        // A number too large to count is too large.
        let length = self.headerFields[.contentLength].map { Int($0) ?? .max } ?? 0
        guard length <= Self.maximumBody else { throw Self.bodyTooLarge }
    }

    /// Whether a text is a host with or without a port, and nothing else (RFC 3986 § 3.2, RFC 9110 § 4.2).
    package static func isAuthority(_ text: String) -> Bool {
        let host: Substring
        let rest: Substring
        if text.hasPrefix("[") {
            guard let bracket = text.firstIndex(of: "]") else { return false }
            host = text[text.index(after: text.startIndex)..<bracket]
            rest = text[text.index(after: bracket)...]
            guard host.utf8.allSatisfy({ Self.isHostCharacter($0) || $0 == UInt8(ascii: ":") }) else { return false }
        } else {
            host = text.prefix { $0 != ":" }
            rest = text[host.endIndex...]
            guard host.utf8.allSatisfy(Self.isHostCharacter) else { return false }
        }
        let isPort = rest.first == ":" && rest.utf8.dropFirst().allSatisfy { (0x30...0x39).contains($0) }
        return !host.isEmpty && (rest.isEmpty || isPort)
    }

    private static func isHostCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default:
            "-._~%!$&'()*+,;=".utf8.contains(byte)
        }
    }
}
