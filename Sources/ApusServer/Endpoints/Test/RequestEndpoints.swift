import HTTPSemantics
import HTTPTypes
import WebSocket
import WebTransport

/// `/test/request`: what the request for the session was, as JSON on a unidirectional stream, or in a message.
struct RequestEndpoint: TestEndpoint, SessionRoute {
    private struct Answer: Encodable {
        struct Field: Encodable {
            var name: String
            var value: String
        }
        var method: String
        var scheme: String?
        var authority: String?
        var path: String?
        var `protocol`: String?
        /// Of HTTP.
        var version: String
        /// In the order in which they came.
        var fields: [Field]

        init(_ request: HTTPRequest, version: String) {
            self.version = version
            self.method = request.method.rawValue
            self.scheme = request.scheme
            self.authority = request.authority
            self.path = request.path
            self.protocol = request.extendedConnectProtocol
            self.fields = request.headerFields.map { Field(name: $0.name.canonicalName, value: $0.value) }
        }
    }

    /// It takes any query, and shows it.
    func parameters(_ query: Query) {}

    func serve(_ session: WebTransportSession, _ parameters: Void) async throws {
        try await session.answer(json: Answer(session.request, version: "HTTP/3"))
        _ = try await session.closed
    }

    func serve(_ session: WebSocketSession, _ query: Query) async throws {
        let answer = Answer(session.request, version: session.mapping.description)
        try await session.send(text: WebTransportSession.json(answer))
        _ = await session.closed
    }
}

/// `/test/response?:status=S&NAME=VALUE…`: answers with that status, 200 when it is not said, and those fields.
struct ResponseEndpoint: TestEndpoint {
    struct Parameters {
        var status: HTTPResponse.Status
        var fields: HTTPFields
    }

    func parameters(_ query: Query) throws(Query.Invalid) -> Parameters {
        let status = try query.integer(":status", in: 200...599, default: 200)
        var fields = HTTPFields()
        for (name, value) in query.pairs where name != ":status" {
            guard let name = HTTPField.Name(name), HTTPField.isValidValue(value) else {
                throw Query.Invalid(reason: "\(name.debugDescription) is no header field, or its value none")
            }
            fields.append(HTTPField(name: name, value: value))
        }
        return Parameters(status: .init(code: status), fields: fields)
    }

    func admission(_ request: HTTPRequest, _ parameters: Parameters) -> SessionAdmission {
        if parameters.status.kind == .successful {
            .accept(status: parameters.status, fields: parameters.fields)
        } else {
            .refuse(parameters.status, reason: "the query asks for it", fields: parameters.fields)
        }
    }

    func serve(_ session: WebTransportSession, _ parameters: Parameters) async throws {
        try await EchoEndpoint().serve(session)
    }
}

/// `/test/protocol?choose=NAME`: agrees on that application protocol when the client offers it, else on none.
struct ProtocolEndpoint: TestEndpoint {
    func parameters(_ query: Query) throws(Query.Invalid) -> String {
        try query.allow("choose")
        return query["choose"] ?? ""
    }

    func admission(_ request: HTTPRequest, _ name: String) -> SessionAdmission {
        .accept(subprotocol: request.availableWebTransportProtocols.first { $0 == name })
    }

    func serve(_ session: WebTransportSession, _ name: String) async throws {
        try await session.answer(session.subprotocol ?? "")
        _ = try await session.closed
    }
}

/// `/test/export?label=L&context=HEX&length=N`: the session's keying material as hexadecimal digits on a unidirectional
/// stream.
struct ExportEndpoint: TestEndpoint {
    struct Parameters {
        var label: String
        var context: [UInt8]
        var length: Int
    }

    func parameters(_ query: Query) throws(Query.Invalid) -> Parameters {
        try query.allow("label", "context", "length")
        let label = query["label"] ?? ""
        guard label.utf8.count <= 255 else { throw Query.Invalid(reason: "label must have 255 bytes at most") }
        let digits = Array(query["context"] ?? "")
        let context = stride(from: 0, to: digits.count, by: 2).map { index in
            UInt8(String(digits[index..<min(index + 2, digits.count)]), radix: 16)
        }
        guard digits.count.isMultiple(of: 2), context.count <= 255, !context.contains(nil) else {
            throw Query.Invalid(reason: "context must be at most 255 bytes in hexadecimal digits")
        }
        let length = try query.integer("length", in: 1...8160, default: 32)
        return Parameters(label: label, context: context.compactMap(\.self), length: length)
    }

    func serve(_ session: WebTransportSession, _ parameters: Parameters) async throws {
        let bytes = try await session.exportKeyingMaterial(
            label: parameters.label,
            context: parameters.context,
            count: parameters.length
        )
        try await session.answer(bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
        _ = try await session.closed
    }
}
