import HTTPSemantics
import HTTPTypes
import WebSocket
import WebTransport

/// `/close?code=N&reason=R`: the server closes the session at once.
struct CloseEndpoint: SessionRoute {
    func admission(_ request: HTTPRequest, _ query: Query) -> SessionAdmission {
        guard self.code(query) != nil else {
            return .refuse(.badRequest, reason: "code must be a number from 0 to 4294967295")
        }
        return .accept()
    }

    private func code(_ query: Query) -> Int? { query.number("code", in: 0...Int(UInt32.max), default: 0) }

    func serve(_ session: WebTransportSession, _ query: Query) async throws {
        session.close(code: UInt32(self.code(query) ?? 0), reason: query["reason"] ?? "")
    }

    /// A WebSocket's codes are fewer: one that an endpoint may not send becomes 1000 (RFC 6455 § 7.4).
    func serve(_ session: WebSocketSession, _ query: Query) async throws {
        let code = WebSocketCloseCode(rawValue: UInt16(clamping: self.code(query) ?? 1000))
        session.close(code: code.isSendable ? code : .normal, reason: query["reason"] ?? "")
    }
}
