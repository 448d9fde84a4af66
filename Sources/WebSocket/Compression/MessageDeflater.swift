import CZlib
import NIOCore

/// The compressing half of permessage-deflate (RFC 7692 § 7.2.1): a message in, the payload of its frame out.
///
/// Owns one zlib stream, made at the first message, so that a session that never sends one pays nothing. Not
/// `Sendable`: one event loop uses it.
final class MessageDeflater {
    /// What a peer's decompressor adds to every message, and a compressor leaves out (RFC 7692 § 7.2.1).
    static let tail: [UInt8] = [0x00, 0x00, 0xff, 0xff]

    /// zlib's smallest window for raw DEFLATE; a peer that asks for less gets messages as they are.
    static let minimumWindowBits = 9

    private let windowBits: Int
    private let keepsContext: Bool
    private let level: Int
    private let threshold: Int
    /// In a place of its own: zlib keeps its address. Nil before the first message.
    private var stream: UnsafeMutablePointer<z_stream>?

    /// - Parameters:
    ///   - windowBits: from 9 to 15.
    ///   - keepsContext: whether a message may refer to those before it.
    ///   - policy: gives the level, and which messages are too short.
    init(windowBits: Int, keepsContext: Bool, policy: WebSocketCompression = WebSocketCompression()) {
        precondition((Self.minimumWindowBits...15).contains(windowBits), "a window of 2^9 to 2^15 bytes")
        precondition((1...9).contains(policy.level), "zlib's levels are 1 to 9")
        self.windowBits = windowBits
        self.keepsContext = keepsContext
        self.level = policy.level
        self.threshold = policy.threshold
    }

    deinit {
        guard let stream = self.stream else { return }
        deflateEnd(stream)
        stream.deallocate()
    }

    /// zlib's memory for hash chains and pending output, in its unit. As a part of the window it is what zlib's own
    /// default is for the largest window.
    private var memoryLevel: Int { max(1, self.windowBits - 7) }

    private func open() -> UnsafeMutablePointer<z_stream> {
        if let stream = self.stream { return stream }
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let result = CZlib_deflateInitRaw(stream, Int32(self.level), Int32(self.windowBits), Int32(self.memoryLevel))
        // With arguments in range only memory can be short, which ends a Swift program anyway.
        precondition(result == Z_OK, "zlib takes its parameters and finds memory")
        self.stream = stream
        return stream
    }

    /// Whether a message of so many bytes should be compressed; any may be sent as it is (RFC 7692 § 6).
    func isWorthwhile(_ byteCount: Int) -> Bool {
        // zlib counts in 32 bits.
        byteCount >= self.threshold && byteCount <= Int(UInt32.max)
    }

    /// Compresses a message and appends it to `buffer`.
    func deflate(_ message: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) {
        guard !message.isEmpty else {
            // A second flush without input would give nothing; this is the empty block without its tail
            // (RFC 7692 § 7.2.3.6).
            buffer.writeInteger(0 as UInt8)
            return
        }
        let stream = self.open()
        // zlib does not write to its input, though its header does not say so.
        stream.pointee.next_in = UnsafeMutablePointer(mutating: message.assumingMemoryBound(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = UInt32(message.count)
        // Most messages are text that shrinks; what does not fit into the first space takes another round.
        var space = max(64, message.count / 4)
        repeat {
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: space) { bytes in
                stream.pointee.next_out = bytes.assumingMemoryBound(to: UInt8.self).baseAddress
                stream.pointee.avail_out = UInt32(bytes.count)
                let result = CZlib.deflate(stream, Z_SYNC_FLUSH)
                precondition(result == Z_OK || result == Z_BUF_ERROR, "zlib's stream is in order")
                return bytes.count - Int(stream.pointee.avail_out)
            }
            space = 4_096
            // A flush is complete when it leaves room.
        } while stream.pointee.avail_out == 0
        stream.pointee.next_in = nil
        stream.pointee.next_out = nil
        let end = buffer.writerIndex - Self.tail.count
        assert(buffer.getBytes(at: end, length: Self.tail.count) == Self.tail)
        buffer.moveWriterIndex(to: end)
        if !self.keepsContext { deflateReset(stream) }
    }
}
