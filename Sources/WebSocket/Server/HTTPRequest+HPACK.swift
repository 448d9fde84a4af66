import HTTPSemantics
import HTTPTypes
import NIOHPACK

extension HTTPRequest {
    /// The version-independent form of a header section of HTTP/2.
    ///
    /// NIOHTTP2 has seen that the pseudo-header fields are those of a request, each once, in front of the others.
    init(_ headers: HPACKHeaders) throws(InvalidRequest) {
        var pseudo: [String: String] = [:]
        var fields = HTTPFields()
        var size = 0
        for (name, value, _) in headers {
            // RFC 9113 § 10.5.1.
            size += name.utf8.count + value.utf8.count + 32
            if name.hasPrefix(":") {
                pseudo[name] = value
            } else if let name = HTTPField.Name(name) {
                fields.append(HTTPField(name: name, value: value))
            }
        }
        guard size <= HTTP2Limits.headerListSize else {
            throw InvalidRequest(status: .requestHeaderFieldsTooLarge, reason: "the header section is too large")
        }
        guard let method = pseudo[":method"].flatMap({ HTTPRequest.Method($0) }) else {
            throw InvalidRequest(reason: "the method is not a token")
        }
        self.init(
            method: method,
            scheme: pseudo[":scheme"],
            authority: pseudo[":authority"] ?? fields[values: .init("host")!].first,
            path: pseudo[":path"],
            headerFields: fields
        )
        self.extendedConnectProtocol = pseudo[":protocol"]
        try self.checkPseudoHeaderFields()
    }
}

extension HPACKHeaders {
    init(_ response: HTTPResponse) {
        self.init()
        self.add(name: ":status", value: "\(response.status.code)")
        for field in response.headerFields { self.add(name: field.name.canonicalName, value: field.value) }
    }
}
