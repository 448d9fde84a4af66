public import HTTPTypes

/// What a server answers to a request for a session: a WebTransport CONNECT or a WebSocket upgrade.
public enum SessionAdmission: Sendable {
    /// Accept, with the application protocol chosen from the client's offer and further response fields.
    ///
    /// Over HTTP/3 any status of 2xx begins a session (draft-ietf-webtrans-http3 § 3.2); a WebSocket's is its own.
    /// Any other status is a mistake of the application: the request is answered with 500, and the log says why.
    case accept(status: HTTPResponse.Status = .ok, subprotocol: String? = nil, fields: HTTPFields = [:])
    /// Refuse with a status, one sentence that says why, for the body and the log, and further response fields.
    case refuse(HTTPResponse.Status, reason: String, fields: HTTPFields = [:])
}

/// Decides on a request for a session, after the origin policy has let it through.
///
/// It is called on the connection's event loop, and must not block.
public typealias SessionAdmissionHandler = @Sendable (HTTPRequest) -> SessionAdmission
