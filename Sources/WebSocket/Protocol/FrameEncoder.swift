import NIOCore
import NIOWebSocket

/// Which end of a connection this is. Only the client masks what it sends (RFC 6455 § 5.1).
enum WebSocketRole: Hashable, Sendable {
    case server
    case client
}

/// Writes whole messages and control frames, one frame each.
///
/// NIOWebSocket's encoder writes header and payload as two buffers. This one appends both to a buffer of the caller's,
/// so that the small messages of one turn of the loop become one write.
struct FrameEncoder {
    /// The longest header: two bytes, eight of length, four of key.
    static let maximumHeaderSize = 14

    let role: WebSocketRole

    /// Appends the header of a final frame, and answers the key with which the payload must be masked.
    private func writeHeader(
        _ opcode: WebSocketOpcode,
        length: Int,
        isCompressed: Bool,
        into buffer: inout ByteBuffer
    ) -> WebSocketMaskingKey? {
        buffer.writeInteger((isCompressed ? 0xc0 : 0x80) | UInt8(webSocketOpcode: opcode))
        let masked: UInt8 = self.role == .client ? 0x80 : 0
        // The shortest form that holds the length (RFC 6455 § 5.2).
        switch length {
        case ...125:
            buffer.writeInteger(masked | UInt8(length))
        case ...0xffff:
            buffer.writeInteger(masked | 126)
            buffer.writeInteger(UInt16(length))
        default:
            buffer.writeInteger(masked | 127)
            buffer.writeInteger(UInt64(length))
        }
        guard self.role == .client else { return nil }
        let key = WebSocketMaskingKey.random()
        buffer.writeBytes(key)
        return key
    }

    /// Appends a frame with its payload.
    ///
    /// - Parameter isCompressed: sets the first reserved bit (RFC 7692 § 6).
    func write(
        _ opcode: WebSocketOpcode,
        _ payload: ByteBuffer,
        isCompressed: Bool = false,
        into buffer: inout ByteBuffer
    ) {
        let length = payload.readableBytes
        let key = self.writeHeader(opcode, length: length, isCompressed: isCompressed, into: &buffer)
        let start = buffer.readableBytes
        buffer.writeImmutableBuffer(payload)
        if let key { buffer.applyMask(key, from: start) }
    }

    /// Appends a text frame, encoding the text in place.
    func write(text: String, into buffer: inout ByteBuffer) {
        let key = self.writeHeader(.text, length: text.utf8.count, isCompressed: false, into: &buffer)
        let start = buffer.readableBytes
        buffer.writeString(text)
        if let key { buffer.applyMask(key, from: start) }
    }

    /// Appends the header for a payload that follows as a buffer of its own. For servers only: nothing masks it.
    func writeHeader(
        ofUnmasked opcode: WebSocketOpcode,
        length: Int,
        isCompressed: Bool = false,
        into buffer: inout ByteBuffer
    ) {
        precondition(self.role == .server, "a client masks every payload")
        _ = self.writeHeader(opcode, length: length, isCompressed: isCompressed, into: &buffer)
    }

    /// Appends a Close frame. A code that must not be sent, such as 1005, becomes an empty frame.
    func writeClose(_ code: WebSocketCloseCode, reason: String, into buffer: inout ByteBuffer) {
        var payload = ByteBuffer()
        if code.isSendable {
            payload.writeInteger(code.rawValue)
            payload.writeString(reason)
        }
        self.write(.connectionClose, payload, into: &buffer)
    }
}
