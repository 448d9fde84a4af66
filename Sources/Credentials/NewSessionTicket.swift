import CGnuTLS

/// A ticket that a server has sent to a client after the handshake (RFC 8446 § 4.6.1), as far as GnuTLS does not tell.
package struct NewSessionTicket: Hashable, Sendable {
    /// In seconds.
    package var lifetime: UInt32
    /// How much early data the server will take, in bytes; nil for none.
    package var maxEarlyDataSize: UInt32?

    /// RFC 8446 § 4.2.
    private static let earlyDataExtension: UInt32 = 42

    /// - Parameter message: its content, without the header of handshake messages.
    /// - Returns: nil when it is malformed.
    package init?(_ message: some Collection<UInt8>) {
        var input = TLSMessageReader(message)
        guard
            let lifetime = input.number(4),
            // What obfuscates the ticket's age, a nonce, and the ticket itself.
            input.skip(4) != nil,
            input.vector(lengthSize: 1) != nil,
            input.vector(lengthSize: 2) != nil,
            var extensions = input.vector(lengthSize: 2)
        else { return nil }
        self.lifetime = lifetime
        while !extensions.isAtEnd {
            guard let type = extensions.number(2), var content = extensions.vector(lengthSize: 2) else { return nil }
            guard type == Self.earlyDataExtension else { continue }
            guard let size = content.number(4), content.isAtEnd else { return nil }
            self.maxEarlyDataSize = size
        }
    }
}

extension ResumptionTicket {
    /// The session of a client, to be called from its hook for the ticket's message.
    /// - Parameter now: seconds since the epoch; nil is the system's clock.
    /// - Returns: nil when the library has none to give.
    package init?(
        ofSession session: OpaquePointer,
        _ ticket: NewSessionTicket,
        earlyData: EarlyDataTerms?,
        at now: Int64? = nil
    ) {
        var data = gnutls_datum_t()
        guard gnutls_session_get_data2(session, &data) == GNUTLS_E_SUCCESS else { return nil }
        defer { CGnuTLS_free(data.data) }
        self.init(
            session: Array(UnsafeBufferPointer(start: data.data, count: Int(data.size))),
            // RFC 8446 § 4.6.1: no more than seven days, whatever the server says.
            expiry: (now ?? UnixTime.now) + Int64(min(ticket.lifetime, 604_800)),
            earlyData: earlyData
        )
    }
}
