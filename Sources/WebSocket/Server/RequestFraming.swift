import HTTPTypes
import NIOHTTP1

/// Rules for the end of a request (RFC 9112 § 6) that the parser does not enforce. Where two servers differ about it, one
/// request can hide in the body of another.
enum RequestFraming {
    struct Fault: Error, Hashable {
        var status: HTTPResponse.Status
        var reason: String
    }

    /// Requests that are answered have no body to speak of. Over HTTP/1.1 a small one is read and dropped, so that the
    /// connection can be used on.
    static let maximumBody = 64 << 10

    static let bodyTooLarge = "requests with a body of more than \(Self.maximumBody) bytes are not accepted"

    static func check(_ head: HTTPRequestHead) throws(Fault) {
        let codings = head.headers[canonicalForm: "transfer-encoding"]
        guard !codings.isEmpty else { return }
        // RFC 9112 § 6.1: HTTP/1.0 has no transfer codings, so that such a message may have come through a peer that
        // did not look at this field.
        guard head.version == .http1_1 else {
            throw Fault(status: .badRequest, reason: "Transfer-Encoding does not exist in HTTP/\(head.version)")
        }
        // RFC 9112 § 6.1.
        guard codings.count == 1, codings[0].lowercased() == "chunked" else {
            throw Fault(status: .notImplemented, reason: "no transfer coding but chunked is understood here")
        }
    }

    static func announcesBody(_ head: HTTPRequestHead) -> Bool {
        self.announcedLength(head) > 0 || head.headers.contains(name: "transfer-encoding")
    }

    /// The length that a request announces for its body. The parser has seen that there is at most one and that it is a
    /// number, which may be larger than any we can count.
    static func announcedLength(_ head: HTTPRequestHead) -> Int {
        head.headers.first(name: "content-length").map { Int($0) ?? .max } ?? 0
    }

    /// Whether a body of the length that its field announces, if there is one, may come.
    static func isAcceptable(contentLength: String?) -> Bool {
        contentLength.map { (Int($0) ?? .max) <= Self.maximumBody } ?? true
    }
}
