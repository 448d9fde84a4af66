import HTTPSemantics
import HTTPTypes
import NIOCore

/// `/test/body?bytes=N`: a resource of N bytes, a mebibyte when it is not said. Unlike the endpoints beside it, it is
/// there for GET and HEAD.
struct BodyResource: Sendable {
    /// All bodies are parts of it.
    private let bytes = ByteBuffer(repeating: UInt8(ascii: "."), count: Self.range.upperBound)
    private static let range = 0...(1 << 20)

    func response(_ query: Query) -> ResourceResponse {
        do throws(Query.Invalid) {
            try query.allow("bytes")
            let count = try query.integer("bytes", in: Self.range, default: Self.range.upperBound)
            return ResourceResponse(
                status: .ok,
                contentType: "application/octet-stream",
                // Not nil: at most what there is.
                body: self.bytes.getSlice(at: 0, length: count)!
            )
        } catch {
            return .text(.badRequest, "\(error.reason)\n")
        }
    }
}
