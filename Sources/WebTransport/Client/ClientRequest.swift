import HTTPTypes
import NIOCore

/// A client's request for a session, until it is answered. It belongs to its connection's loop.
final class ClientRequest {
    let head: HTTPRequest
    var isSubmitted = false
    private var promise: EventLoopPromise<WebTransportSession>?

    init(head: HTTPRequest, promise: EventLoopPromise<WebTransportSession>) {
        self.head = head
        self.promise = promise
    }

    func succeed(_ session: WebTransportSession) {
        self.promise.take()?.succeed(session)
    }

    func fail(_ error: WebTransportError) {
        self.promise.take()?.fail(error)
    }
}
