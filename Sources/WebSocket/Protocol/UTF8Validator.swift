/// Validates UTF-8 that arrives in pieces, and fails at the first byte that cannot be part of it (RFC 3629 § 4).
struct UTF8Validator {
    /// How many continuation bytes the character in progress still needs.
    private var missing = 0
    /// What the next continuation byte must be: narrower than 80...BF after some first bytes, which excludes overlong
    /// forms, surrogates, and what lies beyond U+10FFFF.
    private var allowed: ClosedRange<UInt8> = 0x80...0xbf

    /// Whether the bytes so far end between two characters.
    var isComplete: Bool { self.missing == 0 }

    /// False when the bytes so far cannot be the beginning of any UTF-8.
    mutating func append(_ bytes: some Collection<UInt8>) -> Bool {
        bytes.withContiguousStorageIfAvailable { self.append(UnsafeRawBufferPointer($0)) }
            ?? Array(bytes).withUnsafeBytes { self.append($0) }
    }

    private mutating func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        while index < bytes.count {
            // Eight characters of ASCII at a time, which most text is.
            if self.missing == 0, index + 8 <= bytes.count,
                bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
            {
                index += 8
                continue
            }
            let byte = bytes[index]
            index += 1
            if self.missing > 0 {
                guard self.allowed.contains(byte) else { return false }
                self.missing -= 1
                self.allowed = 0x80...0xbf
                continue
            }
            switch byte {
            case 0x00...0x7f: continue
            case 0xc2...0xdf: self.expect(1, 0x80...0xbf)
            case 0xe0: self.expect(2, 0xa0...0xbf)
            case 0xed: self.expect(2, 0x80...0x9f)
            case 0xe1...0xef: self.expect(2, 0x80...0xbf)
            case 0xf0: self.expect(3, 0x90...0xbf)
            case 0xf1...0xf3: self.expect(3, 0x80...0xbf)
            case 0xf4: self.expect(3, 0x80...0x8f)
            default: return false
            }
        }
        return true
    }

    private mutating func expect(_ count: Int, _ allowed: ClosedRange<UInt8>) {
        self.missing = count
        self.allowed = allowed
    }
}
