/// The largest packet number that the peer has used (RFC 9000 § 12.3), to tell new packets from those that somebody
/// recorded and sends once more: these decrypt, too.
struct NewestPacket {
    private(set) var number: UInt64?

    /// - Parameters:
    ///   - truncated: the packet number as it was sent, of a packet that decrypted.
    ///   - bits: how many it was sent with: 8, 16, 24 or 32.
    /// - Returns: whether it is larger than all before.
    mutating func isNew(truncated: UInt64, bits: UInt64) -> Bool {
        let number = Self.decode(truncated, bits: bits, expected: self.number.map { $0 + 1 } ?? 0)
        guard self.number.map({ number > $0 }) ?? true else { return false }
        self.number = number
        return true
    }

    /// The number nearest to the expected one (RFC 9000 § A.3). The library decodes alike, and decrypts with the
    /// result.
    static func decode(_ truncated: UInt64, bits: UInt64, expected: UInt64) -> UInt64 {
        let window: UInt64 = 1 << bits
        let candidate = expected & ~(window - 1) | truncated
        if candidate + window / 2 <= expected, candidate < 1 << 62 - window { return candidate + window }
        if candidate > expected + window / 2, candidate >= window { return candidate - window }
        return candidate
    }
}
