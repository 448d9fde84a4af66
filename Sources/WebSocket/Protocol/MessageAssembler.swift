import NIOCore
import NIOWebSocket

/// A rule that the peer broke, and the code that tells it which.
struct WebSocketViolation: Error, Hashable {
    var code: WebSocketCloseCode
    var reason: String
}

/// Turns the peer's frames into messages and control events, and checks every rule for frames.
///
/// `FrameParser` has checked that control frames are short and final, and that no frame is larger than the largest
/// message. NIOWebSocket's aggregator is not used: it refuses small fragments, which the RFC allows, and does not tell
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
    /// Nil when compression was not agreed on.
    private let inflater: MessageInflater?
    private var progress = Progress.betweenMessages
    /// The message in progress. Not in the enum, where each fragment would copy what is there to append to it.
    private var buffer = ByteBuffer()
    /// Whether the message in progress is compressed.
    private var isCompressed = false

    /// What has come of the message in progress, decompressed.
    var byteCount: Int { self.buffer.readableBytes }

    init(role: WebSocketRole, maximumSize: Int, inflater: MessageInflater? = nil) {
        self.role = role
        self.maximumSize = maximumSize
        self.inflater = inflater
    }

    /// The largest frame that can belong to a message of the largest size.
    static func maximumFrameSize(forMessagesOf size: Int, isCompressed: Bool) -> Int {
        // Control frames are always possible. What cannot be compressed grows a little; zlib's own bound for any
        // parameters is an eighth and a 64th of the size, and some bytes (`deflateBound`).
        isCompressed ? size + size / 8 + size / 64 + 128 : max(size, 125)
    }

    mutating func receive(_ frame: WebSocketFrame) throws(WebSocketViolation) -> Event {
        let isCompressed = try self.isCompressed(frame)
        let payload = try self.unmask(frame)
        switch frame.opcode {
        case .text: return try self.begin(.text(UTF8Validator()), payload, isFinal: frame.fin, isCompressed)
        case .binary: return try self.begin(.binary, payload, isFinal: frame.fin, isCompressed)
        case .continuation: return try self.append(payload, isFinal: frame.fin)
        case .ping: return .ping(payload)
        case .pong: return .pong(payload)
        case .connectionClose: return try Self.parseClose(payload)
        default: throw Self.protocolError("the opcode is reserved")
        }
    }

    /// RFC 6455 § 5.2: the reserved bits are zero unless an extension defines them. permessage-deflate defines the
    /// first one, and only for the first frame of a message (RFC 7692 § 6).
    private func isCompressed(_ frame: WebSocketFrame) throws(WebSocketViolation) -> Bool {
        if frame.reservedBits.isEmpty { return false }
        guard frame.reservedBits == .rsv1, self.inflater != nil else {
            throw Self.protocolError("reserved bits are set")
        }
        guard frame.opcode == .text || frame.opcode == .binary else {
            throw Self.protocolError("a frame that begins no message says that it is compressed")
        }
        return true
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
        isFinal: Bool,
        _ isCompressed: Bool
    ) throws(WebSocketViolation) -> Event {
        guard case .betweenMessages = self.progress else {
            throw Self.protocolError("a message begins within another")
        }
        guard isFinal && !isCompressed else {
            self.progress = progress
            self.isCompressed = isCompressed
            return try self.append(payload, isFinal: isFinal)
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
        if case .betweenMessages = self.progress { throw Self.protocolError("a continuation without a beginning") }
        let start = self.buffer.readableBytes
        try self.extend(with: payload, isFinal: isFinal)
        switch self.progress {
        case .text where isFinal && start == 0:
            return .message(.text(try Self.text(self.finish())))
        case .text(var validator):
            guard validator.append(self.buffer.readableBytesView.dropFirst(start)) else { throw Self.invalidUTF8 }
            self.progress = .text(validator)
            guard isFinal else { return .none }
            guard validator.isComplete else { throw Self.invalidUTF8 }
            return .message(.text(String(buffer: self.finish())))
        case .binary, .betweenMessages:
            return isFinal ? .message(.binary(self.finish())) : .none
        }
    }

    /// Adds a payload to the message in progress, or what it decompresses to.
    private mutating func extend(with payload: ByteBuffer, isFinal: Bool) throws(WebSocketViolation) {
        guard self.isCompressed, let inflater = self.inflater else {
            guard self.buffer.readableBytes + payload.readableBytes <= self.maximumSize else { throw self.tooLarge }
            self.buffer.writeImmutableBuffer(payload)
            return
        }
        do throws(MessageInflater.Failure) {
            try inflater.inflate(
                payload.readableBytesView,
                isFinal: isFinal,
                into: &self.buffer,
                limit: self.maximumSize
            )
        } catch {
            switch error {
            case .tooLarge: throw self.tooLarge
            case .invalid: throw WebSocketViolation(code: .invalidPayload, reason: "a payload that is not DEFLATE")
            }
        }
    }

    private mutating func finish() -> ByteBuffer {
        defer {
            self.progress = .betweenMessages
            self.buffer = ByteBuffer()
            self.isCompressed = false
        }
        // Decompression makes room in steps; a message that waits must not hold on to what it did not need.
        let isWasteful = self.isCompressed && self.buffer.capacity > 2 * self.buffer.readableBytes
        return isWasteful ? ByteBuffer(bytes: self.buffer.readableBytesView) : self.buffer
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
