import Credentials

/// A server's answer to a client's extensions (RFC 8446 § 4.3.1), as far as a client has to know it before GnuTLS does.
package struct EncryptedExtensions {
    /// Whether the server asks its clients to go on at another address (RFC 9000 § 9.6).
    package private(set) var hasPreferredAddress = false

    /// RFC 9001 § 8.2.
    private static let transportParameters: UInt32 = 0x39
    /// RFC 9000 § 18.2.
    private static let preferredAddress: UInt64 = 0x0d

    /// - Parameter message: its content, without the header of handshake messages.
    /// - Returns: nil when it is malformed as far as it is read, which the libraries are to find.
    package init?(_ message: some Collection<UInt8>) {
        var input = TLSMessageReader(message)
        guard var extensions = input.vector(lengthSize: 2) else { return nil }
        while !extensions.isAtEnd {
            guard let type = extensions.number(2), var content = extensions.vector(lengthSize: 2) else { return nil }
            guard type == Self.transportParameters else { continue }
            while !content.isAtEnd {
                guard let id = content.variableLengthInteger(), let size = content.variableLengthInteger(),
                    let size = Int(exactly: size), content.skip(size) != nil
                else { return nil }
                if id == Self.preferredAddress { self.hasPreferredAddress = true }
            }
        }
    }
}

extension TLSMessageReader {
    /// RFC 9000 § 16: the first two bits tell the length.
    fileprivate mutating func variableLengthInteger() -> UInt64? {
        guard let first = self.number(1) else { return nil }
        var value = UInt64(first & 0x3f)
        for _ in 1..<(1 << (first >> 6)) {
            guard let byte = self.number(1) else { return nil }
            value = value << 8 | UInt64(byte)
        }
        return value
    }
}
