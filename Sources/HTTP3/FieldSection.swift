import HTTPTypes

/// A header section as it arrives, field by field.
struct FieldSection {
    /// Counted as RFC 9114 § 4.2.2 counts: names, values, and 32 for each field. Ample for cookies and tokens.
    static let maxSize = 64 * 1024

    private var pseudo: [String: String] = [:]
    private var fields = HTTPFields()
    private var size = 0

    var isTooLarge: Bool { self.size > Self.maxSize }
    /// What is kept of it, counted likewise.
    private(set) var heldByteCount = 0

    mutating func append(name: String, value: String) {
        self.size += name.utf8.count + value.utf8.count + 32
        guard !self.isTooLarge else { return }
        self.heldByteCount = self.size
        if name.hasPrefix(":") {
            self.pseudo[name] = value
        } else if let name = HTTPField.Name(name) {
            // nghttp3 has checked names and values; one that HTTPTypes does not take cannot be looked up anyway.
            self.fields.append(HTTPField(name: name, value: value))
        }
    }

    /// Nil when `:method` is missing or not a token.
    var request: HTTPRequest? {
        guard let text = self.pseudo[":method"], let method = HTTPRequest.Method(text) else { return nil }
        var request = HTTPRequest(
            method: method,
            scheme: self.pseudo[":scheme"],
            authority: self.pseudo[":authority"] ?? self.fields[.init("host")!],
            path: self.pseudo[":path"],
            headerFields: self.fields
        )
        request.extendedConnectProtocol = self.pseudo[":protocol"]
        return request
    }

    /// Nil when `:status` is missing or not a number of three digits.
    var response: HTTPResponse? {
        guard let text = self.pseudo[":status"], let code = Int(text), (100...999).contains(code) else { return nil }
        return HTTPResponse(status: .init(code: code), headerFields: self.fields)
    }
}

extension HTTPRequest {
    /// The fields to send, pseudo-header fields first (RFC 9114 § 4.3).
    var fieldLines: [(name: String, value: String)] {
        var lines = [(":method", self.method.rawValue)]
        if let value = self.extendedConnectProtocol { lines.append((":protocol", value)) }
        if let value = self.scheme { lines.append((":scheme", value)) }
        if let value = self.authority { lines.append((":authority", value)) }
        if let value = self.path { lines.append((":path", value)) }
        return lines + self.headerFields.map { ($0.name.canonicalName, $0.value) }
    }
}

extension HTTPResponse {
    var fieldLines: [(name: String, value: String)] {
        [(":status", String(self.status.code))] + self.headerFields.map { ($0.name.canonicalName, $0.value) }
    }
}
