import Credentials
import HTTPTypes
import TLS

/// The rules of the opening handshake (RFC 6455 § 4) that need no connection.
enum OpeningHandshake {
    /// The only version there is (RFC 6455 § 4.1).
    static let version = "13"

    /// What a server says to a request that asks for a WebSocket but cannot have one.
    struct Refusal: Error, Hashable {
        var status: HTTPResponse.Status
        var reason: String
        var fields: HTTPFields = [:]
    }

    /// What a valid request offers.
    struct Offer: Hashable {
        /// `Sec-WebSocket-Accept` for its key; nil for an extended CONNECT, which has none.
        var accept: String?
        /// In the client's order.
        var subprotocols: [String]
        /// In the client's order.
        var extensions: [WebSocketExtension]
    }

    /// What a server's answer agrees to.
    struct Agreement: Hashable {
        var subprotocol: String?
        /// As the server has written them.
        var extensions = ""
        var compression: PermessageDeflate?
    }

    /// The value of `:protocol` that asks for a WebSocket (RFC 8441 § 5).
    static let protocolName = "websocket"

    /// Whether a request of HTTP/1.1 asks for a WebSocket at all; whether it may have one is `validate`'s business.
    static func isRequested(by request: HTTPRequest) -> Bool {
        self.tokens(of: .connection, in: request.headerFields).contains { $0.lowercased() == "upgrade" }
            && self.tokens(of: .upgrade, in: request.headerFields).contains { $0.lowercased() == "websocket" }
    }

    /// RFC 6455 § 4.2.1; RFC 8441 § 5.
    static func validate(_ request: HTTPRequest, over mapping: WebSocketMapping) throws(Refusal) -> Offer {
        guard mapping.isExtendedConnect || request.method == .get else {
            throw Refusal(status: .badRequest, reason: "a WebSocket begins with GET")
        }
        guard request.headerFields[values: .secWebSocketVersion] == [Self.version] else {
            // RFC 6455 § 4.4, and RFC 9110 § 15.5.22 for Upgrade, which only HTTP/1.1 has.
            throw Refusal(
                status: mapping.isExtendedConnect ? .badRequest : .upgradeRequired,
                reason: "only version \(Self.version) of the WebSocket protocol is spoken here",
                fields: mapping.isExtendedConnect
                    ? [.secWebSocketVersion: Self.version]
                    : [.secWebSocketVersion: Self.version, .upgrade: "websocket"]
            )
        }
        let accept = mapping.isExtendedConnect ? nil : try Self.validateKey(request)
        let extensions = WebSocketExtension.parse(request.headerFields[values: .secWebSocketExtensions])
        guard let extensions else {
            // RFC 6455 § 9.1.
            throw Refusal(status: .badRequest, reason: "Sec-WebSocket-Extensions does not follow its grammar")
        }
        return Offer(
            accept: accept,
            subprotocols: Self.tokens(of: .secWebSocketProtocol, in: request.headerFields),
            extensions: extensions
        )
    }

    private static func validateKey(_ request: HTTPRequest) throws(Refusal) -> String {
        let keys = request.headerFields[values: .secWebSocketKey]
        // 16 bytes in base64.
        guard keys.count == 1, keys[0].utf8.count == 24, keys[0].hasSuffix("=="),
            keys[0].dropLast(2).utf8.allSatisfy(Self.isBase64)
        else {
            throw Refusal(status: .badRequest, reason: "Sec-WebSocket-Key must be 16 bytes in base64")
        }
        return Self.accept(forKey: keys[0])
    }

    /// RFC 6455 § 4.2.2, step 5.4.
    static func accept(forKey key: String) -> String {
        Base64.encode(SHA1.hash(Array("\(key)258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)))
    }

    private static func failed(_ reason: String) -> WebSocketError {
        WebSocketError(code: .handshakeFailed, message: "the server's WebSocket handshake is not valid: \(reason)")
    }

    /// Whether a server's 101 answers `key` (RFC 6455 § 4.1).
    static func validateUpgrade(_ response: HTTPResponse, key: String) throws(WebSocketError) {
        let fields = response.headerFields
        guard Self.tokens(of: .upgrade, in: fields).map({ $0.lowercased() }) == ["websocket"] else {
            throw failed("Upgrade is not websocket")
        }
        guard Self.tokens(of: .connection, in: fields).contains(where: { $0.lowercased() == "upgrade" }) else {
            throw failed("Connection is not upgrade")
        }
        guard fields[values: .secWebSocketAccept] == [Self.accept(forKey: key)] else {
            throw failed("Sec-WebSocket-Accept does not answer our key")
        }
    }

    /// What a server has chosen of what was offered (RFC 6455 § 4.1).
    static func agreement(
        of response: HTTPResponse,
        offered: [String],
        compression: WebSocketCompression? = nil
    ) throws(WebSocketError) -> Agreement {
        let fields = response.headerFields
        let extensions = WebSocketExtension.parse(fields[values: .secWebSocketExtensions])
        guard let extensions, extensions.count <= (compression == nil ? 0 : 1) else {
            throw failed("an extension that we did not offer")
        }
        var agreement = Agreement()
        if let compression, let answer = extensions.first {
            agreement.compression = PermessageDeflate.agreement(from: answer, compression)
            guard agreement.compression != nil else { throw failed("\(answer) does not answer our offer") }
            agreement.extensions = "\(answer)"
        }
        let chosen = Self.tokens(of: .secWebSocketProtocol, in: fields)
        guard chosen.count <= 1, chosen.allSatisfy(offered.contains) else {
            throw failed("a subprotocol that we did not offer")
        }
        agreement.subprotocol = chosen.first
        return agreement
    }

    /// The members of a comma-separated field.
    static func tokens(of name: HTTPField.Name, in fields: HTTPFields) -> [String] {
        fields[values: name].flatMap { value in
            value.split(separator: ",").map { member in
                String(member.drop(while: Self.isBlank).reversed().drop(while: Self.isBlank).reversed())
            }
        }
    }

    private static func isBlank(_ character: Character) -> Bool { character == " " || character == "\t" }

    private static func isBase64(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
            true
        default: false
        }
    }
}
