import HTTPTypes
import NIOHTTP1
import NIOHTTPTypesHTTP1

/// Why a request that the parser has accepted cannot be answered.
struct InvalidRequest: Error, Hashable {
    var reason: String
}

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
        self.init(
            method: method,
            scheme: isSecure ? "https" : "http",
            authority: hosts.first,
            path: Self.path(of: head.uri),
            headerFields: HTTPFields(head.headers, splitCookie: false)
        )
    }

    /// The path and query of a request target; the absolute form must be understood (RFC 9112 § 3.2.2).
    private static func path(of target: String) -> String {
        for scheme in ["http://", "https://"] where target.lowercased().hasPrefix(scheme) {
            let rest = target.dropFirst(scheme.count)
            return rest.firstIndex(of: "/").map { String(rest[$0...]) } ?? "/"
        }
        return target
    }
}
