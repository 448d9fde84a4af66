import NIOCore
import NIOWebSocket

/// A rule that the peer broke, and the code that tells it which.
struct WebSocketViolation: Error, Hashable {
    var code: WebSocketCloseCode
    var reason: String
}

/// Turns the peer's frames into messages and control events, and checks every rule for frames.
///
/// NIOWebSocket's decoder has checked that control frames are short and final, and that no frame is larger than the
/// largest message. Its aggregator is not used: it refuses small fragments, which the RFC allows, and does not tell
/// close codes apart. Here a message in progress costs its bytes and nothing per fragment, so fragments need no limit.
struct MessageAssembler {
    enum Event: Hashable {
        /// A fragment: nothing to do yet.
        case none
        case message(WebSocketMessage)
        case ping(ByteBuffer)
        case pong(ByteBuffer)
        case close(WebSocketCloseCode, reason: String)
    }

    private enum Progress {
        case betweenMessages
        case text(UTF8Validator)
        case binary
    }

    /// Below this a client copies a payload out of the buffer that it was read into; a server's copy is made when it
    /// is unmasked. Otherwise small messages that wait would hold on to large reads.
    private static let copyLimit = 4_096

    private let role: WebSocketRole
    private let maximumSize: Int
    private var progress = Progress.betweenMessages
    /// The message in progress. Not in the enum, where each fragment would copy what is there to append to it.
    private var buffer = ByteBuffer()

    init(role: WebSocketRole, maximumSize: Int) {
        self.role = role
        self.maximumSize = maximumSize
    }

    mutating func receive(_ frame: WebSocketFrame) throws(WebSocketViolation) -> Event {
        // RFC 6455 § 5.2: without an extension that defines them the reserved bits are zero.
        guard frame.reservedBits.isEmpty else { throw Self.protocolError("reserved bits are set") }
        let payload = try self.unmask(frame)
        switch frame.opcode {
        case .text: return try self.begin(.text(UTF8Validator()), payload, isFinal: frame.fin)
        case .binary: return try self.begin(.binary, payload, isFinal: frame.fin)
        case .continuation: return try self.append(payload, isFinal: frame.fin)
        case .ping: return .ping(payload)
        case .pong: return .pong(payload)
        case .connectionClose: return try Self.parseClose(payload)
        default: throw Self.protocolError("the opcode is reserved")
        }
    }

    private func unmask(_ frame: WebSocketFrame) throws(WebSocketViolation) -> ByteBuffer {
        var payload = frame.data
        switch (self.role, frame.maskKey) {
        case (.server, let key?):
            payload.applyMask(key)
        case (.client, nil):
            if payload.readableBytes < Self.copyLimit { payload = ByteBuffer(bytes: payload.readableBytesView) }
        // RFC 6455 § 5.1: each side must close the connection on these.
        case (.server, nil):
            throw Self.protocolError("a frame of the client is not masked")
        case (.client, .some):
            throw Self.protocolError("a frame of the server is masked")
        }
        return payload
    }

    private mutating func begin(
        _ progress: Progress,
        _ payload: ByteBuffer,
        isFinal: Bool
    ) throws(WebSocketViolation) -> Event {
        guard case .betweenMessages = self.progress else {
            throw Self.protocolError("a message begins within another")
        }
        guard isFinal else {
            self.progress = progress
            return try self.append(payload, isFinal: false)
        }
        guard payload.readableBytes <= self.maximumSize else { throw self.tooLarge }
        switch progress {
        case .binary:
            return .message(.binary(payload))
        case .text, .betweenMessages:
            return .message(.text(try Self.text(payload)))
        }
    }

    private mutating func append(_ payload: ByteBuffer, isFinal: Bool) throws(WebSocketViolation) -> Event {
        guard self.buffer.readableBytes + payload.readableBytes <= self.maximumSize else { throw self.tooLarge }
        switch self.progress {
        case .betweenMessages:
            throw Self.protocolError("a continuation without a beginning")
        case .binary:
            self.buffer.writeImmutableBuffer(payload)
            return isFinal ? .message(.binary(self.finish())) : .none
        case .text(var validator):
            guard validator.append(payload.readableBytesView) else { throw Self.invalidUTF8 }
            self.buffer.writeImmutableBuffer(payload)
            self.progress = .text(validator)
            guard isFinal else { return .none }
            guard validator.isComplete else { throw Self.invalidUTF8 }
            return .message(.text(String(buffer: self.finish())))
        }
    }

    private mutating func finish() -> ByteBuffer {
        defer {
            self.progress = .betweenMessages
            self.buffer = ByteBuffer()
        }
        return self.buffer
    }

    /// RFC 6455 § 5.5.1 and § 7.4.
    private static func parseClose(_ payload: ByteBuffer) throws(WebSocketViolation) -> Event {
        var payload = payload
        guard payload.readableBytes > 0 else { return .close(.noStatus, reason: "") }
        guard let code = payload.readInteger(as: UInt16.self).map(WebSocketCloseCode.init(rawValue:)) else {
            throw Self.protocolError("a Close frame with half a code")
        }
        guard code.isSendable else { throw Self.protocolError("a Close frame with the code \(code)") }
        return .close(code, reason: try Self.text(payload))
    }

    private static func text(_ payload: ByteBuffer) throws(WebSocketViolation) -> String {
        do {
            var payload = payload
            // It is nil only when more is asked for than is there.
            return try payload.readUTF8ValidatedString(length: payload.readableBytes)!
        } catch {
            throw Self.invalidUTF8
        }
    }

    private static func protocolError(_ reason: String) -> WebSocketViolation {
        WebSocketViolation(code: .protocolError, reason: reason)
    }

    private static var invalidUTF8: WebSocketViolation {
        WebSocketViolation(code: .invalidPayload, reason: "text that is not UTF-8")
    }

    private var tooLarge: WebSocketViolation {
        WebSocketViolation(code: .messageTooLarge, reason: "a message of more than \(self.maximumSize) bytes")
    }
}
