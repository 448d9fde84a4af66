import CGnuTLS

/// A certificate chain and its private key, as a server shows them.
///
/// Immutable; any number of sessions on any threads may use it. The owner of a session that was configured with it
/// must keep it until the session is freed.
public final class ServerIdentity: Sendable {
    private let credentials: CertificateCredentials
    private let validity: Validity
    /// What the certificate is called in messages.
    private let name: String

    /// The SHA-256 of the leaf certificate.
    public let fingerprint: CertificateFingerprint

    /// Whether browsers take the leaf certificate for its fingerprint alone, whoever has signed it: its key is not one
    /// for RSA, and it is valid for at most 14 days (W3C WebTransport, "custom certificate requirements").
    public let isTrustedByFingerprint: Bool

    /// When the leaf certificate's validity begins, in seconds since the epoch.
    public var notValidBefore: Int64 { self.validity.notBefore }
    /// When the leaf certificate's validity ends, in seconds since the epoch.
    public var notValidAfter: Int64 { self.validity.notAfter }

    /// Reads a certificate chain, leaf first, and its key from PEM files.
    ///
    /// - Parameter now: the time at which the certificate must be valid, in seconds since the epoch; nil is the
    ///   system's clock.
    /// - Throws: an error that names the file when it is unreadable, malformed, expired or not yet valid, or when the
    ///   key is another certificate's.
    public convenience init(
        certificateFile: String,
        privateKeyFile: String,
        at now: Int64? = nil
    ) throws(CredentialsError) {
        let certificate = try PEMFile.read(certificateFile, holding: "certificate")
        let privateKey = try PEMFile.read(privateKeyFile, holding: "private key")
        try self.init(
            certificate: certificate,
            privateKey: privateKey,
            names: ("the certificate \(certificateFile)", "the private key \(privateKeyFile)"),
            at: now
        )
    }

    /// Takes a certificate chain, leaf first, and its key in PEM.
    ///
    /// - Parameter now: the time at which the certificate must be valid, in seconds since the epoch; nil is the
    ///   system's clock.
    /// - Throws: an error when one is malformed, the key is another certificate's, or the certificate is not valid now.
    public convenience init(
        certificatePEM: String,
        privateKeyPEM: String,
        at now: Int64? = nil
    ) throws(CredentialsError) {
        try self.init(
            certificate: Array(certificatePEM.utf8),
            privateKey: Array(privateKeyPEM.utf8),
            names: ("the certificate", "the private key"),
            at: now
        )
    }

    private init(
        certificate: [UInt8],
        privateKey: [UInt8],
        names: (certificate: String, privateKey: String),
        at now: Int64?
    ) throws(CredentialsError) {
        self.credentials = try CertificateCredentials()
        self.name = names.certificate
        try Self.load(certificate, privateKey, names, into: self.credentials)
        let leaf = try Self.leaf(of: self.credentials)
        self.fingerprint = leaf.fingerprint
        self.validity = leaf.validity
        self.isTrustedByFingerprint =
            !leaf.hasRSAKey && leaf.validity.seconds <= Int64(DevelopmentCertificate.maximumDays) * 86_400
        try self.checkValidity(at: now)
    }

    /// Throws when the certificate has expired or is not yet valid.
    ///
    /// - Parameter now: seconds since the epoch; nil is the system's clock.
    public func checkValidity(at now: Int64? = nil) throws(CredentialsError) {
        try self.validity.check(
            at: now ?? UnixTime.now,
            subject: self.name,
            advice: "renew it, or make a development certificate with `apus certificate`"
        )
    }

    /// Makes a GnuTLS server session show this certificate.
    package func configure(_ session: OpaquePointer) {
        self.credentials.configure(session)
    }

    /// A secret that only the owner of the private key can compute, the same after every restart (HKDF-SHA256,
    /// RFC 5869).
    ///
    /// - Parameter label: what it is for. Secrets of different labels tell nothing of each other, nor of the key.
    /// - Returns: 32 bytes.
    package func secret(for label: String) throws(CredentialsError) -> [UInt8] {
        var key: gnutls_x509_privkey_t?
        try check(gnutls_certificate_get_x509_key(self.credentials.handle, 0, &key), "cannot read the private key back")
        return try PrivateKey(owning: key!).secret(for: label)  // set whenever the call succeeds
    }

    private static func load(
        _ certificate: [UInt8],
        _ privateKey: [UInt8],
        _ names: (certificate: String, privateKey: String),
        into credentials: CertificateCredentials
    ) throws(CredentialsError) {
        var certificate = certificate
        var privateKey = privateKey
        let result = certificate.withUnsafeMutableBufferPointer { certificate in
            privateKey.withUnsafeMutableBufferPointer { privateKey in
                var chain = gnutls_datum_t(data: certificate.baseAddress, size: UInt32(certificate.count))
                var key = gnutls_datum_t(data: privateKey.baseAddress, size: UInt32(privateKey.count))
                return gnutls_certificate_set_x509_key_mem(credentials.handle, &chain, &key, GNUTLS_X509_FMT_PEM)
            }
        }
        if result == GNUTLS_E_CERTIFICATE_KEY_MISMATCH {
            throw CredentialsError(
                code: .keyMismatch,
                message: "\(names.privateKey) does not belong to \(names.certificate); give the key that the "
                    + "certificate was made with, and put the server's own certificate first in its file"
            )
        }
        guard result >= 0 else {
            throw CredentialsError(
                code: .malformed,
                message: "\(names.certificate) or \(names.privateKey) cannot be used as PEM "
                    + "(\(String(cString: gnutls_strerror(result)))); give a certificate chain and its unencrypted key in PEM"
            )
        }
    }

    private static func leaf(
        of credentials: CertificateCredentials
    ) throws(CredentialsError) -> (fingerprint: CertificateFingerprint, validity: Validity, hasRSAKey: Bool) {
        // The datum points into the credentials, which outlive this call.
        var der = gnutls_datum_t()
        try check(gnutls_certificate_get_crt_raw(credentials.handle, 0, 0, &der), "cannot read the certificate back")
        let certificate = try X509Certificate(der: der)
        let fingerprint = CertificateFingerprint(ofDER: UnsafeRawBufferPointer(start: der.data, count: Int(der.size)))
        let validity = Validity(notBefore: certificate.notValidBefore, notAfter: certificate.notValidAfter)
        return (fingerprint, validity, certificate.hasRSAKey)
    }
}
