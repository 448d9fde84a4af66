import CGnuTLS

/// Owns a credentials object of GnuTLS, which any number of sessions may share.
///
/// `@unchecked` because the compiler cannot see into the pointer. The proof: the object is changed only in the
/// initialisers of the types that hold it, before another thread can have it. After that GnuTLS only reads it, and its
/// manual ("Thread safety") allows sessions on different threads to share credentials. Sessions refer to it
/// without retaining it, so the owner of a session keeps the owner of the credentials.
final class CertificateCredentials: @unchecked Sendable {
    /// For calls into GnuTLS.
    let handle: gnutls_certificate_credentials_t

    init() throws(CredentialsError) {
        var handle: gnutls_certificate_credentials_t?
        try check(gnutls_certificate_allocate_credentials(&handle), "cannot make credentials")
        self.handle = handle!  // set whenever the call succeeds
    }

    deinit { gnutls_certificate_free_credentials(self.handle) }

    func configure(_ session: gnutls_session_t) {
        let result = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, UnsafeMutableRawPointer(self.handle))
        precondition(result == GNUTLS_E_SUCCESS, "credentials can be set on any session, short of memory running out")
    }
}
