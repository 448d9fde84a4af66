import CGnuTLS

/// A self-signed certificate that browsers accept by its hash.
///
/// The rules of `serverCertificateHashes` (W3C WebTransport, "custom certificate requirements"): X.509 version 3, a key
/// that is not RSA (ECDSA on P-256 is the one that all must support), and at most 14 days from beginning to end.
public struct DevelopmentCertificate: Sendable {
    /// What browsers allow for a certificate named by its hash.
    public static let maximumDays = 14
    /// One less than allowed, so that a client whose arithmetic differs by a second does not refuse it.
    public static let defaultDays = 13
    /// The certificate's file in the directory given to `write(to:)`.
    public static let certificateFileName = "development.pem"
    /// The key's file in the directory given to `write(to:)`.
    public static let privateKeyFileName = "development.key"

    /// How far the validity begins in the past, for clients whose clock is slow. It counts within the lifetime.
    private static let backdating: Int64 = 3_600

    /// The certificate in PEM.
    public let certificatePEM: String
    /// Its private key in PEM (PKCS #8), unencrypted.
    public let privateKeyPEM: String
    /// The certificate's SHA-256, for `serverCertificateHashes`.
    public let fingerprint: CertificateFingerprint
    /// When the validity begins, in seconds since the epoch.
    public let notValidBefore: Int64
    /// When the validity ends, in seconds since the epoch.
    public let notValidAfter: Int64

    /// Makes a key and a certificate for it.
    ///
    /// - Parameters:
    ///   - hosts: the DNS names and IP addresses that clients will use.
    ///   - days: the lifetime, 1 to 14.
    ///   - now: seconds since the epoch; nil is the system's clock.
    public init(
        hosts: [String] = ["localhost", "127.0.0.1", "::1"],
        days: Int = Self.defaultDays,
        at now: Int64? = nil
    ) throws(CredentialsError) {
        guard (1...Self.maximumDays).contains(days) else {
            throw CredentialsError(
                code: .invalidRequest,
                message: "a development certificate cannot be valid for \(days) days: browsers accept 1 to "
                    + "\(Self.maximumDays)"
            )
        }
        let names = try Self.parse(hosts)
        // Both ends count as valid (RFC 5280 § 4.1.2.5), hence the second less.
        let begin = (now ?? UnixTime.now) - Self.backdating
        let validity = Validity(notBefore: begin, notAfter: begin + Int64(days) * 86_400 - 1)

        let key = try PrivateKey.make()
        let certificate = try X509Certificate()
        try certificate.describe(hosts: names, validity: validity, key: key)
        try certificate.sign(with: key)

        self.certificatePEM = try certificate.export(GNUTLS_X509_FMT_PEM) { String(decoding: $0, as: UTF8.self) }
        self.privateKeyPEM = try key.exportPEM()
        self.fingerprint = try certificate.export(GNUTLS_X509_FMT_DER) { CertificateFingerprint(ofDER: $0) }
        self.notValidBefore = validity.notBefore
        self.notValidAfter = validity.notAfter
    }

    /// Writes `development.pem` and `development.key` into a directory, replacing what was there.
    ///
    /// The key is readable by its owner only from the moment its file exists. A failure leaves the old files.
    public func write(to directory: String) throws(CredentialsError) {
        try PEMFile.write(
            [
                (Self.privateKeyFileName, self.privateKeyPEM, 0o600),
                (Self.certificateFileName, self.certificatePEM, 0o644),
            ],
            to: directory
        )
    }

    /// The hosts of the certificate that `write(to:)` has left in a directory, even when it has expired; nil when there
    /// is none, or none that can be read.
    public static func hosts(in directory: String) -> [String]? {
        do {
            let pem = try PEMFile.read("\(directory)/\(Self.certificateFileName)", holding: "certificate")
            let hosts = try X509Certificate(pem: pem).hosts
            return hosts.isEmpty ? nil : hosts.map(\.text)
        } catch {
            // Whoever wants to use the certificate is told why it cannot be read; its hosts are then unknown.
            return nil
        }
    }

    /// The identity that a server shows with this certificate.
    public func makeIdentity(at now: Int64? = nil) throws(CredentialsError) -> ServerIdentity {
        try ServerIdentity(certificatePEM: self.certificatePEM, privateKeyPEM: self.privateKeyPEM, at: now)
    }

    private static func parse(_ hosts: [String]) throws(CredentialsError) -> [Host] {
        var names: [Host] = []
        for text in hosts {
            guard let host = Host(text) else {
                throw CredentialsError(
                    code: .invalidRequest,
                    message: "\(text.debugDescription) is neither a host name nor an IP address; give names without "
                        + "scheme and port, such as localhost,127.0.0.1,::1"
                )
            }
            if !names.contains(host) { names.append(host) }
        }
        guard !names.isEmpty else {
            throw CredentialsError(
                code: .invalidRequest,
                message: "a certificate needs at least one host, such as localhost"
            )
        }
        return names
    }
}

extension X509Certificate {
    fileprivate func describe(hosts: [Host], validity: Validity, key: PrivateKey) throws(CredentialsError) {
        let problem = "cannot fill in the certificate"
        try check(gnutls_x509_crt_set_version(self.handle, 3), problem)
        // Positive, not zero, at most 20 octets (RFC 5280 § 4.1.2.2).
        var serial: [UInt8] = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        serial[0] = serial[0] & 0x7f | 0x40
        try check(gnutls_x509_crt_set_serial(self.handle, serial, serial.count), problem)
        try check(gnutls_x509_crt_set_activation_time(self.handle, time_t(validity.notBefore)), problem)
        try check(gnutls_x509_crt_set_expiration_time(self.handle, time_t(validity.notAfter)), problem)
        let name = "Apus development"
        try check(
            gnutls_x509_crt_set_dn_by_oid(self.handle, GNUTLS_OID_X520_COMMON_NAME, 0, name, UInt32(name.utf8.count)),
            problem
        )
        try check(gnutls_x509_crt_set_key(self.handle, key.handle), problem)
        for host in hosts {
            let (kind, bytes) =
                switch host {
                case .name(let name): (GNUTLS_SAN_DNSNAME, Array(name.utf8))
                case .address(let bytes, _): (GNUTLS_SAN_IPADDRESS, bytes)
                }
            try check(
                gnutls_x509_crt_set_subject_alt_name(
                    self.handle,
                    kind,
                    bytes,
                    UInt32(bytes.count),
                    UInt32(GNUTLS_FSAN_APPEND)
                ),
                code: .invalidRequest,
                "cannot put \(host) into a certificate"
            )
        }
        // An end entity, not an authority: a stolen development key must not be able to vouch for other hosts.
        try check(gnutls_x509_crt_set_basic_constraints(self.handle, 0, -1), problem)
        try check(gnutls_x509_crt_set_key_usage(self.handle, UInt32(GNUTLS_KEY_DIGITAL_SIGNATURE)), problem)
        try check(gnutls_x509_crt_set_key_purpose_oid(self.handle, GNUTLS_KP_TLS_WWW_SERVER, 0), problem)
    }

    fileprivate func sign(with key: PrivateKey) throws(CredentialsError) {
        try check(
            gnutls_x509_crt_sign2(self.handle, self.handle, key.handle, GNUTLS_DIG_SHA256, 0),
            "cannot sign the certificate"
        )
    }

    fileprivate func export<Result>(
        _ format: gnutls_x509_crt_fmt_t,
        _ body: (UnsafeRawBufferPointer) -> Result
    ) throws(CredentialsError) -> Result {
        var datum = gnutls_datum_t()
        try check(gnutls_x509_crt_export2(self.handle, format, &datum), "cannot export the certificate")
        defer { CGnuTLS_free(datum.data) }
        return body(UnsafeRawBufferPointer(start: datum.data, count: Int(datum.size)))
    }
}
