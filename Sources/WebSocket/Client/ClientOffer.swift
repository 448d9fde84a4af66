import Credentials
import HTTPSemantics
import HTTPTypes
import NIOCore

/// What a client asks for in its opening handshake, whatever carries it, and what it makes of the answer.
struct ClientOffer: Sendable {
    /// As it is sent.
    let request: HTTPRequest
    private let mapping: WebSocketMapping
    /// What an upgrade must be answered to (RFC 6455 § 4.1); an extended CONNECT has none.
    private let key: String?
    private let configuration: WebSocketClientConfiguration

    init(to target: SessionURL, over mapping: WebSocketMapping, _ configuration: WebSocketClientConfiguration) {
        self.mapping = mapping
        self.configuration = configuration
        var request = HTTPRequest(
            method: mapping.isExtendedConnect ? .connect : .get,
            scheme: target.isSecure ? "https" : "http",
            authority: target.authority,
            path: target.path,
            headerFields: configuration.fields
        )
        if mapping.isExtendedConnect {
            request.extendedConnectProtocol = OpeningHandshake.protocolName
            self.key = nil
        } else {
            let key = Base64.encode((0..<16).map { _ in UInt8.random(in: .min ... .max) })
            request.headerFields[.upgrade] = "websocket"
            request.headerFields[.connection] = "upgrade"
            request.headerFields[.secWebSocketKey] = key
            self.key = key
        }
        request.headerFields[.secWebSocketVersion] = OpeningHandshake.version
        if !configuration.subprotocols.isEmpty {
            request.headerFields[.secWebSocketProtocol] = configuration.subprotocols.joined(separator: ", ")
        }
        if let compression = configuration.compression {
            request.headerFields[.secWebSocketExtensions] = "\(PermessageDeflate.offer(compression))"
        }
        self.request = request
    }

    /// Whether an answer gives the session: a success of an extended CONNECT (RFC 8441 § 5), else 101.
    func isAccepted(by response: HTTPResponse) -> Bool {
        self.mapping.isExtendedConnect ? response.status.kind == .successful : response.status == .switchingProtocols
    }

    /// Makes the session that an answer gives.
    /// - Throws: `WebSocketError` with `handshakeFailed` when it gives what was not asked for.
    func session(
        accepting response: HTTPResponse,
        from remoteAddress: SocketAddress?,
        isResumed: Bool,
        on eventLoop: any EventLoop
    ) throws(WebSocketError) -> (WebSocketConnection, WebSocketSession) {
        if let key = self.key { try OpeningHandshake.validateUpgrade(response, key: key) }
        let agreement = try OpeningHandshake.agreement(
            of: response,
            offered: self.configuration.subprotocols,
            compression: self.configuration.compression
        )
        var compression: (PermessageDeflate, WebSocketCompression)?
        if let agreed = agreement.compression, let policy = self.configuration.compression {
            compression = (agreed, policy)
        }
        let connection = WebSocketConnection(
            role: .client,
            limits: WebSocketConnection.Limits(
                maxMessageSize: self.configuration.maxMessageSize,
                pingInterval: self.configuration.pingInterval,
                closeTimeout: self.configuration.closeTimeout
            ),
            compression: compression,
            eventLoop: eventLoop
        )
        let session = WebSocketSession(
            connection,
            request: self.request,
            mapping: self.mapping,
            subprotocol: agreement.subprotocol,
            extensions: agreement.extensions,
            remoteAddress: remoteAddress,
            isResumed: isResumed
        )
        return (connection, session)
    }
}

extension WebSocketError {
    /// - Parameter body: as far as it is worth showing.
    static func refused(_ response: HTTPResponse, _ body: String = "") -> Self {
        let firstLine = body.split(whereSeparator: \.isNewline).first.map { ": \($0)" } ?? ""
        // HTTP/2 and HTTP/3 have no phrase.
        let phrase = response.status.reasonPhrase.isEmpty ? "" : " \(response.status.reasonPhrase)"
        return Self(
            code: .refused,
            message: "the server refused the session with \(response.status.code)\(phrase)\(firstLine)",
            response: Response(head: response, body: body)
        )
    }
}
