/// Watches the TLS messages that follow a handshake, for those that QUIC forbids.
///
/// GnuTLS would take a KeyUpdate for what it means over TCP and report new secrets, on which ngtcp2's helper ends the
/// process: nothing may reach it that RFC 9001 does not allow. That leaves a server's tickets: KeyUpdate is forbidden
/// by § 6, a request for a certificate by § 4.4, and a client has nothing to say.
struct PostHandshakeMessages {
    /// RFC 8446 § 4.
    private static let newSessionTicket: UInt8 = 4
    private static let headerSize = 4

    private let isFromServer: Bool
    /// Of the header of the message under way: its type, and three bytes of length.
    private var headerCount = 0
    private var length = 0

    init(isFromServer: Bool) {
        self.isFromServer = isFromServer
    }

    /// Takes the next bytes, in order.
    /// - Returns: false when they belong to a message that may not come.
    mutating func allows(_ bytes: some Collection<UInt8>) -> Bool {
        var rest = bytes[...]
        while let byte = rest.first {
            guard self.headerCount == Self.headerSize else {
                if self.headerCount == 0 {
                    guard self.isFromServer, byte == Self.newSessionTicket else { return false }
                } else {
                    self.length = self.length << 8 | Int(byte)
                }
                self.headerCount += 1
                rest = rest.dropFirst()
                continue
            }
            let skipped = min(self.length, rest.count)
            self.length -= skipped
            rest = rest.dropFirst(skipped)
            if self.length == 0 { self.headerCount = 0 }
        }
        return true
    }
}
