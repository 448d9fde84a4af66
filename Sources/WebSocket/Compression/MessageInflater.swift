import CZlib
import NIOCore

/// The decompressing half of permessage-deflate (RFC 7692 § 7.2.2): payloads of frames in, a message out, never more
/// of it than the limit.
///
/// Owns one zlib stream, made at the first compressed message. Not `Sendable`: one event loop uses it.
final class MessageInflater {
    enum Failure: Error, Hashable {
        /// What the peer sent is not DEFLATE, or not a whole number of its blocks.
        case invalid
        /// The message is larger than the limit.
        case tooLarge
    }

    /// A step of decompression. Between steps the size is checked, so that a few bytes that stand for very many cost
    /// no more memory than this beyond the limit.
    static let stepSize = 16 << 10

    private let windowBits: Int
    private let keepsContext: Bool
    /// In a place of its own: zlib keeps its address. Nil before the first message.
    private var stream: UnsafeMutablePointer<z_stream>?

    /// - Parameters:
    ///   - windowBits: from 8 to 15.
    ///   - keepsContext: whether the peer's messages may refer to those before them.
    init(windowBits: Int, keepsContext: Bool) {
        precondition((8...15).contains(windowBits), "a window of 2^8 to 2^15 bytes")
        // Older zlibs that are asked to compress with 8 take 9.
        self.windowBits = max(windowBits, 9)
        self.keepsContext = keepsContext
    }

    deinit {
        guard let stream = self.stream else { return }
        inflateEnd(stream)
        stream.deallocate()
    }

    private func open() -> UnsafeMutablePointer<z_stream> {
        if let stream = self.stream { return stream }
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let result = CZlib_inflateInitRaw(stream, Int32(self.windowBits))
        // With arguments in range only memory can be short, which ends a Swift program anyway.
        precondition(result == Z_OK, "zlib takes its parameters and finds memory")
        self.stream = stream
        return stream
    }

    /// Decompresses the payload of one frame, and appends what comes out to the message so far.
    ///
    /// - Parameter limit: how many bytes may be readable in `message`.
    func inflate(
        _ payload: ByteBufferView,
        isFinal: Bool,
        into message: inout ByteBuffer,
        limit: Int
    ) throws(Failure) {
        let stream = self.open()
        try Self.run(stream, payload, &message, limit)
        guard isFinal else { return }
        try Self.run(stream, Self.tail, &message, limit)
        // The tail is an empty block. If its end is not the end of a block, which zlib tells with 128, or bits are
        // left, which it counts in the low six bits, then something was cut short.
        guard stream.pointee.data_type & (128 | 63) == 128 else { throw .invalid }
        if !self.keepsContext { inflateReset(stream) }
    }

    private static let tail = ByteBuffer(bytes: MessageDeflater.tail).readableBytesView

    private static func run(
        _ stream: UnsafeMutablePointer<z_stream>,
        _ input: ByteBufferView,
        _ message: inout ByteBuffer,
        _ limit: Int
    ) throws(Failure) {
        var failure: Failure?
        input.withUnsafeBytes { bytes in
            // zlib does not write to its input, though its header does not say so.
            stream.pointee.next_in = UnsafeMutablePointer(
                mutating: bytes.assumingMemoryBound(to: UInt8.self).baseAddress
            )
            stream.pointee.avail_in = UInt32(bytes.count)
            failure = Self.step(stream, &message, limit)
            stream.pointee.next_in = nil
            stream.pointee.next_out = nil
        }
        if let failure { throw failure }
    }

    /// Inflates until the input is used up and nothing more comes of it.
    private static func step(
        _ stream: UnsafeMutablePointer<z_stream>,
        _ message: inout ByteBuffer,
        _ limit: Int
    ) -> Failure? {
        // A small message gets a small buffer. The last byte over the limit is what shows that it is exceeded.
        var space = min(max(256, Int(stream.pointee.avail_in) * 4), Self.stepSize)
        while true {
            let room = min(space, limit - message.readableBytes + 1)
            var result = Z_OK
            message.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { bytes in
                stream.pointee.next_out = bytes.assumingMemoryBound(to: UInt8.self).baseAddress
                stream.pointee.avail_out = UInt32(room)
                result = CZlib.inflate(stream, Z_SYNC_FLUSH)
                return room - Int(stream.pointee.avail_out)
            }
            guard message.readableBytes <= limit else { return .tooLarge }
            switch result {
            case Z_STREAM_END:
                // A block that says it is the last ends no message (RFC 7692 § 7.2.3.4). What follows may refer to
                // what came before: this reset keeps the window, where `inflateReset` forgets it.
                inflateResetKeep(stream)
                if stream.pointee.avail_in == 0 { return nil }
            case Z_OK where stream.pointee.avail_out == 0, Z_BUF_ERROR where stream.pointee.avail_out == 0:
                // There may be more.
                space = Self.stepSize
            case Z_OK, Z_BUF_ERROR:
                return nil
            default:
                return .invalid
            }
        }
    }
}
