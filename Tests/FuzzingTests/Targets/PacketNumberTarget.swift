import NIOCore

@testable import QUIC

extension FuzzTarget {
    /// Packet numbers that came cut to fewer bytes (RFC 9000 § A.3): the input is what was expected, then the number.
    static let packetNumbers = FuzzTarget("packet-numbers") { input in
        var input = ByteBuffer(bytes: input)
        guard let first = input.readInteger(as: UInt64.self) else { return }
        let expected = first & (1 << 62 - 1)
        var newest = NewestPacket()
        while let size = input.readInteger(as: UInt8.self), let bytes = input.readInteger(as: UInt32.self) {
            let bits = UInt64(size & 3) * 8 + 8
            let window: UInt64 = 1 << bits
            let truncated = UInt64(bytes) & (window - 1)

            let number = NewestPacket.decode(truncated, bits: bits, expected: expected)
            try requireEqual(number & (window - 1), truncated, "the end of a number, and what was sent of it")
            let distance = number > expected ? number - expected : expected - number
            // No number is below none, nor are there more than 62 bits (§ 12.3).
            let isAtEdge = expected < window || expected > 1 << 62 - 2 * window
            try require(isAtEdge || distance <= window / 2, "\(number) is the nearest to \(expected)")

            let before = newest.number
            let isNew = newest.isNew(truncated: truncated, bits: bits)
            try requireEqual(isNew, newest.number != before, "a new number, and one that is remembered")
            try require(newest.number! >= before ?? 0, "the largest number is remembered")
        }
    }
}
