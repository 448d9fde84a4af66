import CGnuTLS

/// Which versions, key-exchange groups and ciphers a handshake may agree on, parsed once for all sessions.
///
/// QUIC and TLS over TCP take the same groups and ciphers in the same order, so that a comparison of the two compares
/// transports and not their cryptography.
///
/// `@unchecked` because the compiler cannot see into the pointer. The proof: GnuTLS only reads the object once it is
/// made, and its manual recommends to share one among sessions ("Priority strings"). Those made here live as long as
/// the process, hence longer than any session that refers to them.
package final class HandshakeParameters: @unchecked Sendable {
    /// What a handshake is for.
    package enum Use: CaseIterable, Sendable {
        /// TLS 1.3 without the middlebox compatibility mode (RFC 9001 § 8.4).
        case quic
        case tls13Or12
        case tls12
    }

    // One round trip with every browser, whose post-quantum share is not taken.
    private static let groups = "-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1"
    /// The same, by their numbers (RFC 8446 § 4.2.7).
    package static let groupNumbers: Set<UInt16> = [0x001d, 0x0017, 0x0018]
    // RFC 9001 § 5.3 without AES-CCM, which no browser offers.
    private static let ciphers = "-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305"
    // RFC 9325 § 4.2: forward secrecy and authenticated encryption. All of TLS 1.3 has both.
    private static let tls12Suites = "-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-MAC-ALL:+AEAD"

    private static let quic = make("-VERS-ALL:+VERS-TLS1.3:%DISABLE_TLS13_COMPAT_MODE")
    private static let tls13Or12 = make("-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:\(tls12Suites)")
    private static let tls12 = make("-VERS-ALL:+VERS-TLS1.2:\(tls12Suites)")

    private let handle: gnutls_priority_t

    private init(_ versions: String) throws(CredentialsError) {
        var handle: gnutls_priority_t?
        let text = "NORMAL:\(versions):\(Self.ciphers):\(Self.groups)"
        try check(gnutls_priority_init(&handle, text, nil), "this system's GnuTLS policy does not allow \(versions)")
        self.handle = handle!  // set whenever the call succeeds
    }

    deinit { gnutls_priority_deinit(self.handle) }

    /// - Throws: when the system's policy for GnuTLS rules out what is needed.
    package static func shared(for use: Use) throws(CredentialsError) -> HandshakeParameters {
        switch use {
        case .quic: try self.quic.get()
        case .tls13Or12: try self.tls13Or12.get()
        case .tls12: try self.tls12.get()
        }
    }

    /// Makes a GnuTLS session keep to them.
    package func configure(_ session: OpaquePointer) {
        let result = gnutls_priority_set(session, self.handle)
        precondition(result == GNUTLS_E_SUCCESS, "parsed priorities can be set on any session")
    }

    private static func make(_ versions: String) -> Result<HandshakeParameters, CredentialsError> {
        do throws(CredentialsError) {
            return .success(try HandshakeParameters(versions))
        } catch {
            return .failure(error)
        }
    }
}
