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

extension HTTPResponse {
    /// nil when the status is none. Fields that HTTP does not allow are left out.
    init?(_ headers: HPACKHeaders) {
        guard let status = headers.first(name: ":status").flatMap({ Int($0) }), (100...999).contains(status) else {
            return nil
        }
        self.init(status: Status(code: status))
        for (name, value, _) in headers where !name.hasPrefix(":") {
            if let name = HTTPField.Name(name) { self.headerFields.append(HTTPField(name: name, value: value)) }
        }
    }
}

extension HPACKHeaders {
    init(_ request: HTTPRequest) {
        self.init()
        let pseudo = [
            (":method", request.method.rawValue), (":protocol", request.extendedConnectProtocol),
            (":scheme", request.scheme), (":authority", request.authority), (":path", request.path),
        ]
        for (name, value) in pseudo { if let value { self.add(name: name, value: value) } }
        for field in request.headerFields { self.add(name: field.name.canonicalName, value: field.value) }
    }

    init(_ response: HTTPResponse) {
        self.init()
        self.add(name: ":status", value: "\(response.status.code)")
        for field in response.headerFields { self.add(name: field.name.canonicalName, value: field.value) }
    }
}
