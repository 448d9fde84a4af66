import HTTPSemantics
import HTTPTypes
import Logging
import LoopConcurrency
import NIOCore

/// A session that has been admitted and counted, and has not begun.
///
/// Its response goes out first, then its connection gets its tunnel, then it `begin`s. A tunnel that cannot be made is
/// told by `connection.closed()`, like one that has ended.
struct SessionOpening {
    /// Accepts, without what only HTTP/1.1 needs.
    let response: HTTPResponse
    let connection: WebSocketConnection
    /// For the application.
    let session: WebSocketSession
    private let core: ServerCore

    fileprivate init(
        response: HTTPResponse,
        connection: WebSocketConnection,
        session: WebSocketSession,
        core: ServerCore
    ) {
        self.response = response
        self.connection = connection
        self.session = session
        self.core = core
    }

    /// Hands the session to `run`.
    func begin() {
        if self.core.accepted.source.offer(self.session) == .ended { self.connection.shutDown() }
    }
}

extension ServerCore {
    /// What becomes of a request for a session.
    enum Decision {
        case accepted(SessionOpening, OpeningHandshake.Offer)
        case refused(ResourceResponse)
    }

    /// Decides on a request for a session, alike over every version of HTTP, and logs a refusal.
    func open(
        _ request: HTTPRequest,
        over mapping: WebSocketMapping,
        from remote: SocketAddress?,
        on eventLoop: any EventLoop,
        idleTimeout: TimeAmount? = nil
    ) -> Decision {
        do throws(OpeningHandshake.Refusal) {
            let offer = try OpeningHandshake.validate(request, over: mapping)
            let (subprotocol, fields) = try self.admit(request)
            // RFC 6455 § 4.2.2: only what the client offered.
            let chosen = subprotocol.flatMap { offer.subprotocols.contains($0) ? $0 : nil }
            let compression = self.configuration.compression.flatMap { policy in
                PermessageDeflate.accept(offer.extensions, policy).map { ($0.agreement, $0.answer, policy) }
            }
            let extensions = compression.map { "\($0.1)" }
            var response = HTTPResponse(status: mapping.isExtendedConnect ? .ok : .switchingProtocols)
            response.headerFields = fields
            response.headerFields[.secWebSocketProtocol] = chosen
            response.headerFields[.secWebSocketExtensions] = extensions
            let connection = WebSocketConnection(
                role: .server,
                limits: self.limits(idleTimeout: idleTimeout),
                compression: compression.map { ($0.0, $0.2) },
                eventLoop: eventLoop
            )
            connection.onClose = { self.sessionClosed() }
            connection.onExcess = { self.metrics.exceeded($0) }
            let session = WebSocketSession(
                connection,
                request: request,
                mapping: mapping,
                subprotocol: chosen,
                extensions: extensions ?? "",
                remoteAddress: remote
            )
            let opening = SessionOpening(response: response, connection: connection, session: session, core: self)
            return .accepted(opening, offer)
        } catch {
            self.metrics.sessionRefused(error.status)
            self.refusals.log(
                "WebSocket",
                error.reason,
                of: request,
                status: error.status,
                from: remote,
                at: eventLoop.now
            )
            var response = ResourceResponse.text(error.status, "\(error.reason)\n")
            response.head.headerFields.append(contentsOf: error.fields)
            return .refused(response)
        }
    }

    /// - Parameter idleTimeout: what carries the session ends when nothing is heard of the peer for so long.
    private func limits(idleTimeout: TimeAmount?) -> WebSocketConnection.Limits {
        var limits = WebSocketConnection.Limits(
            maxMessageSize: self.configuration.maxMessageSize,
            pingInterval: self.configuration.pingInterval,
            closeTimeout: self.configuration.closeTimeout
        )
        // A peer that is there must have answered a ping by then.
        if let idleTimeout, let interval = limits.pingInterval {
            limits.pingInterval = min(interval, .nanoseconds(idleTimeout.nanoseconds / 2))
        }
        return limits
    }

    /// Asks the origin policy, the application, and the limit of sessions, in this order. After it has answered, a
    /// session is counted.
    private func admit(
        _ request: HTTPRequest
    ) throws(OpeningHandshake.Refusal) -> (subprotocol: String?, fields: HTTPFields) {
        do throws(OriginPolicy.Refusal) {
            try self.configuration.originPolicy.check(
                origin: request.headerFields[.origin],
                authority: request.authority
            )
        } catch {
            throw OpeningHandshake.Refusal(status: .forbidden, reason: error.description)
        }
        switch self.configuration.admission(request) {
        case .refuse(let status, let reason, let fields):
            throw OpeningHandshake.Refusal(status: status, reason: reason, fields: fields)
        case .accept(_, let subprotocol, let fields):
            try self.openSession()
            return (subprotocol, fields)
        }
    }
}
