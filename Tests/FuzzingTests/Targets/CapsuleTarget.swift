import NIOCore
import WebTransportCore

@testable import HTTP3
@testable import WebTransport

extension FuzzTarget {
    private static let knownCapsules: Set<CapsuleType> = [.closeSession, .drainSession, .maxStreamData]
    /// Small, so that inputs exceed it.
    private static let maxCapsuleSize = 64

    /// The data of a CONNECT stream (RFC 9297 § 3.2), and what WT_CLOSE_SESSION holds.
    static let capsules = FuzzTarget("capsules") { input in
        let expected = Self.readCapsules(input)
        for cutting in [.whole] + Cutting.inPieces {
            try requireEqual(try Self.decode(input, cutting), expected, "capsules \(cutting), and by hand")
        }
        for capsule in expected.capsules {
            let encoded = capsule.encoded
            let again = try encoded.withUnsafeReadableBytes { try Self.decode($0, .whole) }
            try requireEqual(again, Capsules(capsules: [capsule]), "a capsule written and read, and itself")
        }
        if let close = SessionClose(payload: ByteBuffer(bytes: input)) {
            try require(close.reason.utf8.count <= SessionClose.maxReasonSize, "a reason is bounded")
            try requireEqual(SessionClose(payload: close.payload), close, "an end written and read, and itself")
        }
    }

    private struct Capsules: Equatable {
        var capsules: [Capsule] = []
        var failed = false
        var isAtBoundary = true
    }

    private static func decode(_ input: UnsafeRawBufferPointer, _ cutting: Cutting) throws -> Capsules {
        var decoder = CapsuleDecoder(known: Self.knownCapsules, maxPayloadSize: Self.maxCapsuleSize)
        var result = Capsules()
        do throws(HTTP3Error) {
            for var piece in cutting.pieces(of: input) {
                while let capsule = try decoder.next(from: &piece) { result.capsules.append(capsule) }
            }
        } catch {
            try requireEqual(error.code, .messageError, "the code for a capsule (RFC 9297 § 3.3), and H3_MESSAGE_ERROR")
            result.failed = true
        }
        result.isAtBoundary = result.failed || decoder.isAtBoundary
        return result
    }

    /// RFC 9297 § 3.2, read by hand.
    private static func readCapsules(_ input: UnsafeRawBufferPointer) -> Capsules {
        var result = Capsules()
        var rest = input
        func drop(_ count: Int) { rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count)) }
        while !rest.isEmpty {
            result.isAtBoundary = false
            guard let type = Self.varint(rest) else { return result }
            drop(type.size)
            guard let length = Self.varint(rest) else { return result }
            drop(length.size)
            let isKnown = Self.knownCapsules.contains(CapsuleType(rawValue: type.value))
            if isKnown && length.value > UInt64(Self.maxCapsuleSize) {
                return Capsules(capsules: result.capsules, failed: true)
            }
            guard length.value <= UInt64(rest.count) else { return result }
            if isKnown {
                let payload = ByteBuffer(bytes: rest.prefix(Int(length.value)))
                result.capsules.append(Capsule(CapsuleType(rawValue: type.value), payload: payload))
            }
            drop(Int(length.value))
            result.isAtBoundary = true
        }
        return result
    }
}
