import CGnuTLS

/// Owns a private key object of GnuTLS.
final class PrivateKey {
    let handle: gnutls_x509_privkey_t

    /// A new ECDSA key on P-256.
    init() throws(CredentialsError) {
        var handle: gnutls_x509_privkey_t?
        try check(gnutls_x509_privkey_init(&handle), "cannot make a private key")
        self.handle = handle!  // set whenever the call succeeds
        let bits = CGnuTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)
        try check(
            gnutls_x509_privkey_generate(self.handle, GNUTLS_PK_ECDSA, bits, 0),
            "cannot generate a private key"
        )
    }

    deinit { gnutls_x509_privkey_deinit(self.handle) }

    /// PKCS #8 without encryption, which every other tool reads.
    func exportPEM() throws(CredentialsError) -> String {
        var datum = gnutls_datum_t()
        try check(
            gnutls_x509_privkey_export2_pkcs8(
                self.handle,
                GNUTLS_X509_FMT_PEM,
                nil,
                UInt32(GNUTLS_PKCS_PLAIN.rawValue),
                &datum
            ),
            "cannot export the private key"
        )
        defer { CGnuTLS_free(datum.data) }
        return String(decoding: UnsafeBufferPointer(start: datum.data, count: Int(datum.size)), as: UTF8.self)
    }
}
