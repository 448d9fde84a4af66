import HTTPTypes
import NIOCore
import QUIC

/// A client's request for a resource, until the whole answer is there. It belongs to its connection's loop.
final class ResourceFetch {
    let head: HTTPRequest
    /// The answer's largest body, in bytes.
    private let maxBodySize: Int
    private var promise: EventLoopPromise<WebTransportClient.Resource>?
    /// Where the answer is expected; nil while it has not been asked for.
    private var streamID: Int64?
    private var response: HTTPResponse?
    private var body = ByteBuffer()
    /// Whether the server may still say that the request came too early.
    private(set) var mayBeTooEarly = false

    init(head: HTTPRequest, maxBodySize: Int, promise: EventLoopPromise<WebTransportClient.Resource>) {
        self.head = head
        self.maxBodySize = maxBodySize
        self.promise = promise
    }

    /// Whether nobody waits for anything any more.
    var isOver: Bool { self.promise == nil }

    /// Whether it is still to be answered, and not on an earlier stream.
    func isUnanswered(from limit: Int64) -> Bool { self.response == nil && self.streamID ?? .max >= limit }

    func submitted(on streamID: Int64, isEarly: Bool) {
        self.streamID = streamID
        self.mayBeTooEarly = isEarly
    }

    func received(_ response: HTTPResponse, on streamID: Int64) {
        if streamID == self.streamID { self.response = response }
    }

    func received(_ bytes: ByteBuffer, on streamID: Int64) {
        guard streamID == self.streamID, !self.isOver else { return }
        guard self.body.readableBytes + bytes.readableBytes <= self.maxBodySize else {
            self.fail(WebTransportError(.tooLarge, "the resource has more than \(self.maxBodySize) bytes"))
            return
        }
        self.body.writeImmutableBuffer(bytes)
    }

    func ended(_ streamID: Int64, _ connection: QUIC.Connection) {
        guard streamID == self.streamID, let response = self.response else { return }
        self.promise.take()?.succeed(
            .init(
                head: response,
                body: self.body,
                isResumed: connection.isResumed,
                isEarlyDataAccepted: connection.isEarlyDataAccepted
            )
        )
    }

    func reset(_ streamID: Int64, code: UInt64) {
        guard streamID == self.streamID else { return }
        let code = String(code, radix: 16)
        self.fail(WebTransportError(.streamReset, "the server gave up its answer with the HTTP/3 code 0x\(code)"))
    }

    func fail(_ error: WebTransportError) { self.promise.take()?.fail(error) }
}
