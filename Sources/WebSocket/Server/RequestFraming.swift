import HTTPSemantics
import HTTPTypes
import NIOHTTP1

/// Rules for the end of a request (RFC 9112 § 6) that the parser does not enforce. Where two servers differ about it,
/// one request can hide in the body of another.
enum RequestFraming {
    static func check(_ head: HTTPRequestHead) throws(InvalidRequest) {
        let codings = head.headers["transfer-encoding"]
        guard !codings.isEmpty else { return }
        // RFC 9112 § 6.1: HTTP/1.0 has no transfer codings, so that such a message may have come through a peer that
        // did not look at this field.
        guard head.version == .http1_1 else {
            throw InvalidRequest(reason: "Transfer-Encoding does not exist in HTTP/\(head.version)")
        }
        // RFC 9112 § 6.3. The parser takes an empty field for none, as others may not.
        guard !head.headers.contains(name: "content-length") else {
            throw InvalidRequest(reason: "a request has Transfer-Encoding or Content-Length, not both")
        }
        // RFC 9112 § 6.1.
        guard codings.count == 1, codings[0].trimmingOptionalWhitespace.lowercased() == "chunked" else {
            throw InvalidRequest(status: .notImplemented, reason: "no transfer coding but chunked is understood here")
        }
    }

    static func announcesBody(_ head: HTTPRequestHead) -> Bool {
        self.announcedLength(head) > 0 || head.headers.contains(name: "transfer-encoding")
    }

    /// The length that a request announces for its body. The parser has seen that there is at most one and that it is a
    /// number, which may be larger than any we can count.
    static func announcedLength(_ head: HTTPRequestHead) -> Int {
        head.headers.first(name: "content-length").map { Int($0.trimmingOptionalWhitespace) ?? .max } ?? 0
    }
}
