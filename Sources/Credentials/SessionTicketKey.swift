import CGnuTLS

/// The key with which a server encrypts session tickets, so that a client may resume (RFC 8446 § 4.6.1, RFC 5077).
///
/// All listeners of a server share one. GnuTLS derives the keys in use from it by time, so it needs no rotation.
public final class SessionTicketKey: Sendable {
    private let key: [UInt8]

    /// A new random key.
    public init() throws(CredentialsError) {
        var datum = gnutls_datum_t()
        try check(gnutls_session_ticket_key_generate(&datum), "cannot make a session ticket key")
        self.key = Array(UnsafeBufferPointer(start: datum.data, count: Int(datum.size)))
        CGnuTLS_free(datum.data)
    }

    private init(_ key: [UInt8]) {
        self.key = key
    }

    /// The key for tickets that hold only as long as their server stays as it is: one of another context cannot read
    /// them. (HMAC-SHA512, whose output is as long as a ticket key.)
    package func bound(to context: [UInt8]) -> SessionTicketKey {
        let digest = [UInt8](unsafeUninitializedCapacity: self.key.count) { digest, count in
            precondition(digest.count == gnutls_hmac_get_len(GNUTLS_MAC_SHA512), "a ticket key has 64 bytes")
            let key = self.key
            let result = gnutls_hmac_fast(
                GNUTLS_MAC_SHA512,
                key,
                key.count,
                context,
                context.count,
                digest.baseAddress
            )
            precondition(result == GNUTLS_E_SUCCESS, "a hash can be computed")
            count = digest.count
        }
        return SessionTicketKey(digest)
    }

    /// Makes a GnuTLS server session issue and accept tickets. The session copies the key.
    package func enable(on session: OpaquePointer) {
        var key = self.key
        let result = key.withUnsafeMutableBufferPointer { bytes in
            var datum = gnutls_datum_t(data: bytes.baseAddress, size: UInt32(bytes.count))
            return gnutls_session_ticket_enable_server(session, &datum)
        }
        precondition(result == GNUTLS_E_SUCCESS, "a generated key is accepted by any server session")
    }
}
