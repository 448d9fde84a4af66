import CGnuTLS

/// Owns a parsed priority string: which versions, key exchanges and ciphers may be used.
///
/// `@unchecked` because the compiler cannot see into the pointer. The proof: GnuTLS only reads it once it is made, and
/// its sessions refer to it; the manual recommends to share one among sessions ("Priority strings"). It is never freed
/// before a session, because the shared ones live as long as the process.
final class TLSPriorities: @unchecked Sendable {
    let handle: gnutls_priority_t

    private init(versions: String) throws(TLSError) {
        // TLS 1.2 only with forward secrecy and authenticated encryption (RFC 9325 § 4.2); all of TLS 1.3 has both.
        let text =
            "NORMAL:-VERS-ALL:\(versions):-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-MAC-ALL:+AEAD"
            + ":-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305"
        var handle: gnutls_priority_t?
        let result = gnutls_priority_init(&handle, text, nil)
        guard result == GNUTLS_E_SUCCESS, let handle else {
            let reason = String(cString: gnutls_strerror(result))
            let message = "this system's GnuTLS policy does not allow \(versions): \(reason)"
            throw TLSError(code: .library, message: message)
        }
        self.handle = handle
    }

    deinit { gnutls_priority_deinit(self.handle) }

    /// Parsed once for each maximum version.
    static func shared(upTo version: TLSVersion) throws(TLSError) -> TLSPriorities {
        switch version {
        case .tls12: try self.upTo12.get()
        case .tls13: try self.upTo13.get()
        }
    }

    private static let upTo12 = TLSPriorities.make("+VERS-TLS1.2")
    private static let upTo13 = TLSPriorities.make("+VERS-TLS1.3:+VERS-TLS1.2")

    private static func make(_ versions: String) -> Result<TLSPriorities, TLSError> {
        do throws(TLSError) {
            return .success(try TLSPriorities(versions: versions))
        } catch {
            return .failure(error)
        }
    }
}
