public import HTTPTypes
public import NIOCore

/// A complete response: its head and its whole body in memory.
///
/// Routes answer with this over every HTTP version. Streams of unknown length are the transports' business.
public struct ResourceResponse: Sendable {
    /// Status and fields; the length of the body is added.
    public var head: HTTPResponse
    /// What GET sends, and HEAD only counts.
    public var body: ByteBuffer

    /// Puts an answer together.
    public init(head: HTTPResponse, body: ByteBuffer = ByteBuffer()) {
        self.head = head
        self.body = body
    }

    /// A response with a body of the given media type.
    public init(status: HTTPResponse.Status, contentType: String, body: ByteBuffer) {
        var head = HTTPResponse(status: status)
        head.headerFields[.contentType] = contentType
        self.init(head: head, body: body)
    }

    /// A one-line text response, such as an error.
    public static func text(_ status: HTTPResponse.Status, _ text: String) -> Self {
        Self(status: status, contentType: "text/plain; charset=utf-8", body: ByteBuffer(string: text))
    }
}

extension ResourceResponse {
    /// What a peer takes of a response within a server's time-out, in bytes, or is not waited for any longer. Any link
    /// carries it.
    package static let leastProgress = 32 << 10

    /// The head as it is sent: with its length, which the responder has said of what HEAD leaves out and 204 has not
    /// (RFC 9110 § 8.6), and the time.
    package var completeHead: HTTPResponse {
        var head = self.head.stamped
        if head.headerFields[.contentLength] == nil && head.status != .noContent {
            head.headerFields[.contentLength] = "\(self.body.readableBytes)"
        }
        return head
    }

    /// The body in pieces, each of which shows progress when it has been taken.
    package var pieces: [ByteBuffer] {
        var rest = self.body
        var pieces: [ByteBuffer] = []
        while let piece = rest.readSlice(length: min(Self.leastProgress, rest.readableBytes)), piece.readableBytes > 0 {
            pieces.append(piece)
        }
        return pieces
    }
}

extension HTTPResponse {
    /// With the time, which a server that has a clock sends (RFC 9110 § 6.6.1).
    package var stamped: HTTPResponse {
        var response = self
        if response.headerFields[.date] == nil { response.headerFields[.date] = HTTPDate.now }
        return response
    }
}

/// Answers a GET or HEAD request. The server drops the body for HEAD and adds `Content-Length`.
///
/// It may be called on an event loop, and must not block.
public typealias ResourceHandler = @Sendable (HTTPRequest) -> ResourceResponse
