import HTTPSemantics
import HTTPTypes
import NIOHTTP1
import NIOHTTPTypesHTTP1

extension HTTPRequest {
    /// The version-independent form of an HTTP/1.1 request.
    init(_ head: HTTPRequestHead, isSecure: Bool) throws(InvalidRequest) {
        let method: HTTPRequest.Method
        do {
            method = try HTTPRequest.Method(head.method)
        } catch {
            throw InvalidRequest(reason: "the method is not a token")
        }
        // RFC 9112 § 3.2: exactly one Host; HTTP/1.0 did not know it.
        let hosts = head.headers["host"]
        guard hosts.count == 1 || (hosts.isEmpty && head.version == .http1_0) else {
            throw InvalidRequest(reason: "a request needs one Host field")
        }
        let scheme = isSecure ? "https" : "http"
        let target = try Self.parse(head.uri, method: method, scheme: scheme)
        // RFC 9112 § 3.2.2: the authority of an absolute form is the request's, whatever Host says.
        let authority = target.authority ?? hosts.first.map { String($0.trimmingOptionalWhitespace) }
        guard authority.map(Self.isAuthority) ?? true else {
            throw InvalidRequest(reason: "the request names no host, or something that cannot be one")
        }
        self.init(
            method: method,
            scheme: scheme,
            authority: authority,
            path: target.path,
            headerFields: HTTPFields(head.headers, splitCookie: false)
        )
    }

    /// The parts of a request target in one of the forms of RFC 9112 § 3.2.
    private static func parse(
        _ target: String,
        method: HTTPRequest.Method,
        scheme: String
    ) throws(InvalidRequest) -> (authority: String?, path: String) {
        guard !target.contains("#") else { throw InvalidRequest(reason: "a request target has no fragment") }
        // The origin form; `*` for OPTIONS and an authority for CONNECT, neither of which is answered.
        if target.hasPrefix("/") || method == .options || method == .connect { return (nil, target) }
        // The absolute form (RFC 9112 § 3.2.2).
        guard let end = target.firstRange(of: "://") else {
            throw InvalidRequest(reason: "the request target is neither a path nor an absolute URI")
        }
        // RFC 9110 § 7.4: what is asked for in the other scheme is not this listener's to answer.
        guard target[..<end.lowerBound].lowercased() == scheme else {
            throw InvalidRequest(status: .misdirectedRequest, reason: "only \(scheme) URIs are answered here")
        }
        let rest = target[end.upperBound...]
        let authorityEnd = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let path = rest[authorityEnd...]
        // RFC 9112 § 3.2.1: an empty path is `/`.
        return (String(rest[..<authorityEnd]), path.hasPrefix("/") ? String(path) : "/\(path)")
    }
}
