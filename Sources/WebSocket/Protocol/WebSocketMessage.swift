public import NIOCore

/// One message, whole, whatever the frames it came in.
public enum WebSocketMessage: Hashable, Sendable {
    case text(String)
    case binary(ByteBuffer)

    /// The number of bytes of its payload.
    public var byteCount: Int {
        switch self {
        case .text(let text): text.utf8.count
        case .binary(let buffer): buffer.readableBytes
        }
    }
}
