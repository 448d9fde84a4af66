import HTTPTypes
import NIOCore
import QUIC
import WebTransportCore

/// A client's request for a session, until it is answered. It belongs to its connection's loop.
final class ClientRequest {
    private(set) var head: HTTPRequest
    private var promise: EventLoopPromise<WebTransportSession>?

    init(head: HTTPRequest, promise: EventLoopPromise<WebTransportSession>) {
        self.head = head
        self.promise = promise
    }

    /// Speaks the dialect that both ends know best.
    func speak(_ dialect: Dialect) {
        self.head.extendedConnectProtocol = dialect.connectProtocol
        // Of draft-02, which servers of that time may insist on.
        if dialect < .draft15 { self.head.headerFields[.webTransportDraft02] = "1" }
    }

    func succeed(_ session: WebTransportSession) {
        self.promise.take()?.succeed(session)
    }

    func fail(_ error: WebTransportError) {
        self.promise.take()?.fail(error)
    }
}

/// What a client asks of one connection: sessions that are not answered yet.
final class ClientRequests {
    let server: ServerName
    let offer: WebTransportOffer
    /// Those that wait for the server's SETTINGS.
    private var waiting: [ClientRequest]
    private var submitted: [Int64: ClientRequest] = [:]

    /// Whom a connection leads to: sessions with anybody else need another one.
    struct ServerName: Hashable {
        let address: NetworkAddress
        let name: String
    }

    init(to server: ServerName, offering offer: WebTransportOffer, first: ClientRequest) {
        self.server = server
        self.offer = offer
        self.waiting = [first]
    }

    var isEmpty: Bool { self.waiting.isEmpty && self.submitted.isEmpty }

    func takeWaiting() -> [ClientRequest] {
        defer { self.waiting.removeAll() }
        return self.waiting
    }

    func submitted(_ request: ClientRequest, on streamID: Int64) {
        self.submitted[streamID] = request
    }

    /// The request has its answer, or will never have one.
    func answered(_ streamID: Int64) -> ClientRequest? {
        self.submitted.removeValue(forKey: streamID)
    }

    /// Nobody waits for the request any more.
    /// - Returns: the stream that it was submitted on.
    func cancel(_ request: ClientRequest) -> Int64? {
        self.waiting.removeAll { $0 === request }
        guard let streamID = self.submitted.first(where: { $0.value === request })?.key else { return nil }
        self.submitted[streamID] = nil
        return streamID
    }

    /// Those that wait, and those on this stream or a later one.
    func fail(from limit: Int64, _ error: WebTransportError) {
        for request in self.takeWaiting() { request.fail(error) }
        for (streamID, request) in self.submitted where streamID >= limit {
            self.submitted[streamID] = nil
            request.fail(error)
        }
    }

    func fail(_ error: WebTransportError) {
        for request in self.takeWaiting() + self.submitted.values { request.fail(error) }
        self.submitted.removeAll()
    }
}
