/// A `ws:` or `wss:` URL (RFC 6455 § 3); `http:` and `https:` are taken for the same.
struct WebSocketURL: Hashable, Sendable {
    var isSecure: Bool
    /// Without the brackets of an IPv6 literal.
    var host: String
    var port: Int
    /// Path and query, as the request target.
    var path: String

    init(_ text: String) throws(WebSocketError) {
        func invalid(_ reason: String) -> WebSocketError {
            WebSocketError(
                code: .invalidURL,
                message: "\(text.debugDescription) is not the URL of a WebSocket: \(reason); an example is "
                    + "wss://localhost:4433/echo"
            )
        }
        guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else {
            throw invalid("it has no scheme")
        }
        switch text[..<colon].lowercased() {
        case "ws", "http": self.isSecure = false
        case "wss", "https": self.isSecure = true
        default: throw invalid("its scheme is neither ws nor wss")
        }
        let rest = text[text.index(colon, offsetBy: 3)...]
        guard !rest.contains("#") else { throw invalid("it has a fragment") }
        guard rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            throw invalid("it holds blanks or letters that must be percent-encoded")
        }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let authority = rest[..<end]
        let target = String(rest[end...])
        self.path = target.hasPrefix("/") ? target : "/" + target
        guard !authority.contains("@") else { throw invalid("it holds a user name") }

        let portText: Substring
        if authority.hasPrefix("[") {
            guard let bracket = authority.firstIndex(of: "]") else { throw invalid("a bracket is missing") }
            self.host = String(authority[authority.index(after: authority.startIndex)..<bracket])
            portText = authority[authority.index(after: bracket)...]
        } else {
            let colon = authority.firstIndex(of: ":") ?? authority.endIndex
            self.host = String(authority[..<colon])
            portText = authority[colon...]
        }
        guard !self.host.isEmpty else { throw invalid("it has no host") }
        if portText.isEmpty || portText == ":" {
            self.port = self.isSecure ? 443 : 80
        } else {
            guard portText.hasPrefix(":"), let port = UInt16(portText.dropFirst()), port > 0 else {
                throw invalid("its port is not a number from 1 to 65535")
            }
            self.port = Int(port)
        }
    }

    /// For the Host field: without the scheme's default port (RFC 9110 § 7.2).
    var authority: String {
        let host = self.host.contains(":") ? "[\(self.host)]" : self.host
        return self.port == (self.isSecure ? 443 : 80) ? host : "\(host):\(self.port)"
    }
}
