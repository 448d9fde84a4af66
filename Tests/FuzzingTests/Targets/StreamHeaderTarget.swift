import NIOCore

@testable import HTTP3

extension FuzzTarget {
    /// The first bytes of a stream that the peer opened, and WT_STREAM further on (draft-ietf-webtrans-http3 § 4.3).
    static let streamHeaders = FuzzTarget("stream-headers") { input in
        for isUnidirectional in [false, true] {
            let whole = try Self.typed(input, .whole, isUnidirectional)
            let verdict = Self.watched(input, .whole, isUnidirectional)
            for cutting in Cutting.inPieces {
                try requireEqual(
                    try Self.typed(input, cutting, isUnidirectional),
                    whole,
                    "a stream \(cutting), and whole"
                )
                try requireEqual(
                    Self.watched(input, cutting, isUnidirectional),
                    verdict,
                    "the verdict on frames \(cutting), and on all at once"
                )
            }
        }
    }

    private struct TypedStream: Equatable {
        var sessionID: Int64?
        var http3Type: UInt64?
        var data: [UInt8]
    }

    private static func typed(
        _ input: UnsafeRawBufferPointer,
        _ cutting: Cutting,
        _ isUnidirectional: Bool
    ) throws -> TypedStream {
        var typing = StreamTyping(isUnidirectional: isUnidirectional)
        var result: TypedStream?
        let pieces = cutting.pieces(of: input)
        for (index, piece) in pieces.enumerated() {
            if result != nil {
                result?.data += piece.bytes
                continue
            }
            switch typing.process(piece, isFinal: index == pieces.count - 1) {
            case .undecided:
                // A type and a session ID of eight bytes each, less one.
                try require(typing.bufferedByteCount <= 15, "no more than a header is kept")
                continue
            case .http3(let bytes, let type):
                result = TypedStream(http3Type: type, data: bytes.bytes)
            case .webTransport(let sessionID, let headerSize, let rest):
                try require(sessionID >= 0, "a session's ID is a stream's")
                result = TypedStream(sessionID: sessionID, data: Array(input[..<headerSize]) + rest.bytes)
            }
            try require(typing.bufferedByteCount == 0, "nothing is kept once it is decided")
        }
        guard let result else { throw InvariantViolation(description: "the end of a stream decides \(cutting)") }
        try requireEqual(result.data, Array(input), "the bytes that come out \(cutting), and the stream's")
        return result
    }

    private static func watched(
        _ input: UnsafeRawBufferPointer,
        _ cutting: Cutting,
        _ isUnidirectional: Bool
    ) -> HTTP3ErrorCode? {
        var watch = FrameWatch(isUnidirectional: isUnidirectional)
        do throws(HTTP3Error) {
            for piece in cutting.pieces(of: input) { _ = try watch.process(piece) }
            return nil
        } catch {
            return error.code
        }
    }
}
