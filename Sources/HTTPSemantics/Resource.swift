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

/// Answers a GET or HEAD request. The server drops the body for HEAD and adds `Content-Length`.
///
/// It may be called on an event loop, and must not block.
public typealias ResourceHandler = @Sendable (HTTPRequest) -> ResourceResponse
