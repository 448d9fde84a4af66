import HTTPSemantics
import NIOCore

/// Notices how far a peer has come with what it is sent, in steps of 32 KiB, each of which costs a promise.
///
/// What is written goes down in pieces: a channel tells of whole writes only, and a message may be large.
final class WriteProgress {
    private static let step = ResourceResponse.leastProgress

    /// How many the peer, or the kernel on its behalf, has taken.
    private(set) var steps = 0
    private var uncountedByteCount = 0

    func write(
        _ bytes: ByteBuffer,
        on eventLoop: any EventLoop,
        by write: (ByteBuffer, EventLoopPromise<Void>?) -> Void
    ) {
        var rest = bytes
        while let piece = rest.readSlice(length: min(Self.step, rest.readableBytes)), piece.readableBytes > 0 {
            self.uncountedByteCount += piece.readableBytes
            guard self.uncountedByteCount >= Self.step else {
                write(piece, nil)
                continue
            }
            self.uncountedByteCount = 0
            let taken = eventLoop.makePromise(of: Void.self)
            taken.futureResult.assumeIsolated().whenSuccess { self.steps += 1 }
            write(piece, taken)
        }
    }
}
