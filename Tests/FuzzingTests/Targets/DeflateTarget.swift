import NIOCore

@testable import WebSocket

extension FuzzTarget {
    private static let inflatedLimit = 40_000

    /// The payloads of compressed messages (RFC 7692 § 7.2), bombs among them.
    static let deflate = FuzzTarget("deflate") { input in
        for (windowBits, keepsContext) in [(15, true), (9, false)] {
            let whole = try Self.inflate(input, .whole, windowBits, keepsContext)
            for cutting in Cutting.inPieces {
                let pieces = try Self.inflate(input, cutting, windowBits, keepsContext)
                // zlib lets a distance exceed the window within one piece: a peer that breaks the agreement may pass.
                if windowBits < 15, pieces == .failed(.invalid) { continue }
                try requireEqual(pieces, whole, "what comes out \(cutting), and whole")
            }
            try Self.checkRoundTrip(input, windowBits, keepsContext)
        }
    }

    private enum Inflated: Equatable {
        case messages([ByteBuffer])
        case failed(MessageInflater.Failure)
    }

    /// Twice, so that the second message can refer to the first.
    private static func inflate(
        _ input: UnsafeRawBufferPointer,
        _ cutting: Cutting,
        _ windowBits: Int,
        _ keepsContext: Bool
    ) throws -> Inflated {
        let inflater = MessageInflater(windowBits: windowBits, keepsContext: keepsContext)
        var messages: [ByteBuffer] = []
        for _ in 0..<2 {
            var message = ByteBuffer()
            let pieces = cutting.pieces(of: input)
            for (index, piece) in pieces.enumerated() {
                do throws(MessageInflater.Failure) {
                    try inflater.inflate(
                        piece.readableBytesView,
                        isFinal: index == pieces.count - 1,
                        into: &message,
                        limit: Self.inflatedLimit
                    )
                } catch {
                    return .failed(error)
                }
                try require(message.readableBytes <= Self.inflatedLimit, "a message stays within its limit")
                let most = 2 * (Self.inflatedLimit + MessageInflater.stepSize)
                try require(message.capacity <= most, "nor does it take more memory: \(message.capacity)")
            }
            messages.append(message)
        }
        return .messages(messages)
    }

    private static func checkRoundTrip(
        _ input: UnsafeRawBufferPointer,
        _ windowBits: Int,
        _ keepsContext: Bool
    ) throws {
        let deflater = MessageDeflater(windowBits: windowBits, keepsContext: keepsContext)
        let inflater = MessageInflater(windowBits: windowBits, keepsContext: keepsContext)
        for _ in 0..<2 {
            var compressed = ByteBuffer()
            deflater.deflate(input, into: &compressed)
            let most = MessageAssembler.maximumFrameSize(forMessagesOf: input.count, isCompressed: true)
            try require(compressed.readableBytes <= most, "what cannot be compressed grows a little")
            var message = ByteBuffer()
            try inflater.inflate(compressed.readableBytesView, isFinal: true, into: &message, limit: input.count)
            try requireEqual(message.bytes, Array(input), "a message compressed and decompressed, and itself")
        }
    }
}
