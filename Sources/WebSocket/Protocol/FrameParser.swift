import NIOCore
import NIOWebSocket

/// Finds frames in a stream of bytes.
///
/// A data frame that has not arrived whole comes out in parts, as if the peer had fragmented it: the assembler judges
/// every byte when it arrives (text that is not UTF-8 fails at once), and nothing is collected twice. NIOWebSocket's
/// decoder collects whole frames. Control frames, of 125 bytes at most, come out whole.
struct FrameParser {
    private struct Header {
        var isFinal: Bool
        var reservedBits: WebSocketFrame.ReservedBits
        var opcode: WebSocketOpcode
        var key: WebSocketMaskingKey?
        /// Of the payload, what has not come out yet.
        var remaining: Int

        /// A part of the payload as a frame; what remains continues it.
        mutating func frame(with part: ByteBuffer) -> WebSocketFrame {
            self.remaining -= part.readableBytes
            defer {
                self.reservedBits = []
                self.opcode = .continuation
                if let key = self.key { self.key = Self.rotated(key, by: part.readableBytes) }
            }
            return WebSocketFrame(
                fin: self.isFinal && self.remaining == 0,
                rsv1: self.reservedBits.contains(.rsv1),
                rsv2: self.reservedBits.contains(.rsv2),
                rsv3: self.reservedBits.contains(.rsv3),
                opcode: self.opcode,
                maskKey: self.key,
                data: part
            )
        }

        /// The key for the byte with that offset and those after it (RFC 6455 § 5.3).
        private static func rotated(_ key: WebSocketMaskingKey, by offset: Int) -> WebSocketMaskingKey {
            [key[offset & 3], key[(offset + 1) & 3], key[(offset + 2) & 3], key[(offset + 3) & 3]]
        }
    }

    private let maximumSize: Int
    /// The frame whose payload is arriving.
    private var current: Header?

    init(maximumSize: Int) { self.maximumSize = maximumSize }

    /// Takes the next frame, or part of one, from the buffer; nil when it needs more.
    mutating func parse(_ buffer: inout ByteBuffer) throws(WebSocketViolation) -> WebSocketFrame? {
        if self.current == nil { self.current = try self.readHeader(&buffer) }
        guard var header = self.current else { return nil }
        let isComplete = buffer.readableBytes >= header.remaining
        guard isComplete || (buffer.readableBytes > 0 && !header.opcode.isControlOpcode) else {
            return nil
        }
        // At most as many as are readable.
        let frame = header.frame(with: buffer.readSlice(length: min(header.remaining, buffer.readableBytes))!)
        self.current = isComplete ? nil : header
        return frame
    }

    private func readHeader(_ buffer: inout ByteBuffer) throws(WebSocketViolation) -> Header? {
        let start = buffer.readerIndex
        guard let first = buffer.getInteger(at: start, as: UInt8.self),
            let second = buffer.getInteger(at: start + 1, as: UInt8.self)
        else { return nil }
        let opcode = WebSocketOpcode(encodedWebSocketOpcode: first & 0x0f)!  // any four bits are one
        // RFC 6455 § 5.5.
        if opcode.isControlOpcode && (first & 0x80 == 0 || second & 0x7f > 125) {
            throw Self.protocolError("a control frame that is long or in fragments")
        }
        guard let (length, width) = try Self.length(second, buffer, at: start + 2) else { return nil }
        guard length <= self.maximumSize || opcode.isControlOpcode else {
            throw WebSocketViolation(code: .messageTooLarge, reason: "a frame of \(length) bytes")
        }
        var key: WebSocketMaskingKey?
        let isMasked = second & 0x80 != 0
        if isMasked {
            guard let bytes = buffer.getBytes(at: start + 2 + width, length: 4) else { return nil }
            key = WebSocketMaskingKey(bytes)
        }
        buffer.moveReaderIndex(forwardBy: 2 + width + (isMasked ? 4 : 0))
        return Header(
            isFinal: first & 0x80 != 0,
            reservedBits: WebSocketFrame.ReservedBits(rawValue: first & 0x70),
            opcode: opcode,
            key: key,
            remaining: length
        )
    }

    /// The payload's length and the number of bytes that say it beside the second, or nil when they are not there yet.
    private static func length(
        _ second: UInt8,
        _ buffer: ByteBuffer,
        at index: Int
    ) throws(WebSocketViolation) -> (length: Int, width: Int)? {
        switch second & 0x7f {
        case 126:
            guard let length = buffer.getInteger(at: index, as: UInt16.self) else { return nil }
            guard length > 125 else { throw Self.protocolError("a length that is longer than it must be") }
            return (Int(length), 2)
        case 127:
            guard let length = buffer.getInteger(at: index, as: UInt64.self) else { return nil }
            // RFC 6455 § 5.2: the shortest form, and the first bit is zero.
            guard length > 0xffff, let length = Int(exactly: length) else {
                throw Self.protocolError("a length that is longer than it must be")
            }
            return (length, 8)
        case let length:
            return (Int(length), 0)
        }
    }

    private static func protocolError(_ reason: String) -> WebSocketViolation {
        WebSocketViolation(code: .protocolError, reason: reason)
    }
}
