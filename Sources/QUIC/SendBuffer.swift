import CNgtcp2
import DequeModule
package import NIOCore

/// What a stream has yet to send or to see acknowledged, in order.
///
/// ngtcp2 keeps pointers to stream data until the peer has acknowledged it (no copy is made for retransmission). Each
/// chunk is therefore held unchanged until then: a `ByteBuffer`'s storage neither moves nor changes while a reference
/// to it exists that is not written through.
package struct SendBuffer {
    private var chunks: Deque<ByteBuffer> = []
    /// The stream offset of the first byte held.
    private var baseOffset: UInt64 = 0
    /// The stream offset behind the last byte held.
    private var endOffset: UInt64 = 0
    /// The first byte not yet handed to the library: its chunk, and the place in it.
    private var unsentChunk = 0
    private var unsentPosition = 0

    package private(set) var sentOffset: UInt64 = 0
    package private(set) var acknowledgedOffset: UInt64 = 0

    package init() {}

    /// Bytes that are held, sent or not. This is what counts against a writer's watermark.
    package var heldByteCount: Int { Int(self.endOffset - self.acknowledgedOffset) }
    package var unacknowledgedByteCount: Int { Int(self.sentOffset - self.acknowledgedOffset) }
    package var hasUnsent: Bool { self.sentOffset < self.endOffset }

    package mutating func append(_ chunk: ByteBuffer) {
        guard chunk.readableBytes > 0 else { return }
        self.chunks.append(chunk)
        self.endOffset += UInt64(chunk.readableBytes)
    }

    /// Lends the unsent bytes, as many as there is room for vectors. They stay valid until acknowledged.
    /// - Returns: the number of vectors and whether they reach the end of what is held.
    func fill(_ vectors: UnsafeMutableBufferPointer<ngtcp2_vec>) -> (count: Int, reachesEnd: Bool) {
        var count = 0
        var index = self.unsentChunk
        var position = self.unsentPosition
        while index < self.chunks.count, count < vectors.count {
            self.chunks[index].withUnsafeReadableBytes { bytes in
                let start = bytes.baseAddress!.advanced(by: position).assumingMemoryBound(to: UInt8.self)
                vectors[count] = ngtcp2_vec(base: UnsafeMutablePointer(mutating: start), len: bytes.count - position)
            }
            position = 0
            index += 1
            count += 1
        }
        return (count, index == self.chunks.count)
    }

    /// The library has accepted that many bytes.
    package mutating func sent(_ count: Int) {
        precondition(self.sentOffset + UInt64(count) <= self.endOffset, "only held bytes can have been sent")
        self.sentOffset += UInt64(count)
        var left = count
        while left > 0 {
            let available = self.chunks[self.unsentChunk].readableBytes - self.unsentPosition
            guard left >= available else {
                self.unsentPosition += left
                return
            }
            left -= available
            self.unsentChunk += 1
            self.unsentPosition = 0
        }
    }

    /// The peer has acknowledged everything below `offset`; chunks that it covers are released.
    package mutating func acknowledged(upTo offset: UInt64) {
        precondition(offset <= self.sentOffset, "only sent bytes can be acknowledged")
        self.acknowledgedOffset = max(self.acknowledgedOffset, offset)
        while let first = self.chunks.first, self.baseOffset + UInt64(first.readableBytes) <= offset {
            self.baseOffset += UInt64(first.readableBytes)
            self.chunks.removeFirst()
            self.unsentChunk -= 1
        }
    }

    /// Gives up what has not been sent: the stream was reset.
    package mutating func discardUnsent() {
        // A chunk that was sent in part must stay until the library has let go of it.
        let keep = self.unsentPosition > 0 ? self.unsentChunk + 1 : self.unsentChunk
        self.chunks.removeLast(self.chunks.count - keep)
        self.endOffset = self.sentOffset
        if self.unsentPosition > 0 {
            let last = self.chunks.count - 1
            self.chunks[last] = self.chunks[last].getSlice(
                at: self.chunks[last].readerIndex,
                length: self.unsentPosition
            )!
            self.unsentChunk = self.chunks.count
            self.unsentPosition = 0
        }
    }
}
