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
        // RFC 9113 § 8.3.1: Host stands in for `:authority`, and must not contradict it.
        let hosts = fields[values: .init("host")!]
        let authority = pseudo[":authority"] ?? hosts.first
        guard let authority, Self.isAuthority(authority), hosts.allSatisfy({ $0 == authority }) else {
            throw InvalidRequest(reason: "the request names no host, more than one, or something that cannot be one")
        }
        // RFC 9110 § 7.4. A CONNECT that is not extended has no scheme and no path.
        guard (pseudo[":scheme"] ?? "https") == "https" else {
            throw InvalidRequest(status: .misdirectedRequest, reason: "only https URIs are answered here")
        }
        let path = pseudo[":path"]
        guard path.map({ $0.hasPrefix("/") && !$0.contains("#") }) ?? true || method == .options else {
            throw InvalidRequest(reason: "the path does not begin with a slash, or has a fragment")
        }
        guard (path ?? "").utf8.count <= Self.maximumTarget else {
            throw InvalidRequest(
                status: .uriTooLong,
                reason: "the request's target is longer than \(Self.maximumTarget) bytes"
            )
        }
        guard RequestFraming.isAcceptable(contentLength: fields[.contentLength]) else {
            throw InvalidRequest(status: .contentTooLarge, reason: RequestFraming.bodyTooLarge)
        }
        self.init(method: method, scheme: pseudo[":scheme"], authority: authority, path: path, headerFields: fields)
        self.extendedConnectProtocol = pseudo[":protocol"]
    }
}

extension HPACKHeaders {
    init(_ response: HTTPResponse) {
        self.init()
        self.add(name: ":status", value: "\(response.status.code)")
        for field in response.headerFields { self.add(name: field.name.canonicalName, value: field.value) }
    }
}
