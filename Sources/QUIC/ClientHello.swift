import Credentials

/// A client's first message (RFC 8446 § 4.1.2), as far as a server has to know it before GnuTLS does.
package struct ClientHello {
    /// The groups for which the client has sent a key already (RFC 8446 § 4.2.8).
    package private(set) var keyShareGroups: Set<UInt16> = []

    /// RFC 8446 § 4.2.
    private static let keyShareExtension: UInt32 = 51

    /// - Parameter message: its content, without the header of handshake messages.
    /// - Returns: nil when it is malformed as far as it is read, which GnuTLS is to find.
    package init?(_ message: some Collection<UInt8>) {
        var input = TLSMessageReader(message)
        guard
            // The version that is none any more, and the random bytes.
            input.skip(2 + 32) != nil,
            // The session ID, the cipher suites, and the compression methods.
            input.vector(lengthSize: 1) != nil,
            input.vector(lengthSize: 2) != nil,
            input.vector(lengthSize: 1) != nil,
            var extensions = input.vector(lengthSize: 2)
        else { return nil }
        while !extensions.isAtEnd {
            guard let type = extensions.number(2), var content = extensions.vector(lengthSize: 2) else { return nil }
            guard type == Self.keyShareExtension else { continue }
            guard var shares = content.vector(lengthSize: 2) else { return nil }
            while !shares.isAtEnd {
                guard let group = shares.number(2), shares.vector(lengthSize: 2) != nil else { return nil }
                self.keyShareGroups.insert(UInt16(truncatingIfNeeded: group))
            }
        }
    }
}
