import CGnuTLS

/// What a client needs to know whom it speaks to.
///
/// Immutable; any number of sessions on any threads may use it. The owner of a session that was configured with it
/// must keep it until the session is freed.
public final class ClientCredentials: Sendable {
    private let credentials: CertificateCredentials
    /// What makes a server's certificate acceptable.
    public let verification: CertificateVerification

    /// Loads the system's trusted authorities when the verification needs them, which reads files.
    public init(verification: CertificateVerification) throws(CredentialsError) {
        self.credentials = try CertificateCredentials()
        self.verification = verification
        if verification == .system {
            try check(
                gnutls_certificate_set_x509_system_trust(self.credentials.handle),
                "cannot load this system's trusted certificate authorities; install the package ca-certificates"
            )
        }
    }

    /// Prepares a GnuTLS client session for a server: the credentials, and SNI when the server is named by a DNS name.
    package func configure(_ session: OpaquePointer, serverName: String) throws(CredentialsError) {
        self.credentials.configure(session)
        // RFC 6066 § 3: literal addresses are not permitted.
        guard case .name(let name) = Host(serverName) else { return }
        try check(
            gnutls_server_name_set(session, GNUTLS_NAME_DNS, name, name.utf8.count),
            code: .invalidRequest,
            "\(name.debugDescription) cannot be used as a server name"
        )
    }

    /// Decides on the server's certificate, once the handshake is complete and before the first byte is trusted.
    ///
    /// - Parameters:
    ///   - serverName: the host that the user asked for, name or address.
    ///   - now: seconds since the epoch; nil is the system's clock. System verification always uses the latter.
    package func verifyPeer(
        of session: OpaquePointer,
        serverName: String,
        at now: Int64? = nil
    ) throws(CredentialsError) {
        switch self.verification.rule {
        case .none:
            return
        case .fingerprints(let expected):
            try Self.verify(Self.leaf(of: session), among: expected, serverName: serverName, at: now ?? UnixTime.now)
        case .system:
            try Self.verifyBySystem(session, serverName: serverName)
        }
    }

    private static func verify(
        _ der: gnutls_datum_t,
        among expected: Set<CertificateFingerprint>,
        serverName: String,
        at now: Int64
    ) throws(CredentialsError) {
        let actual = Self.fingerprint(of: der)
        guard expected.contains(actual) else {
            throw CredentialsError(
                code: .wrongFingerprint,
                message: "the certificate of \(serverName) has the fingerprint \(actual.hexadecimal), which is not "
                    + "among those expected; if that is the server you mean, pass --hash \(actual.hexadecimal)"
            )
        }
        let certificate = try X509Certificate(der: der)
        try Validity(notBefore: certificate.notValidBefore, notAfter: certificate.notValidAfter).check(
            at: now,
            subject: "the certificate of \(serverName)",
            advice: "the server must replace it"
        )
    }

    private static func verifyBySystem(_ session: OpaquePointer, serverName: String) throws(CredentialsError) {
        let host =
            switch Host(serverName) {
            case .name(let name): name
            case .address(_, let text): text
            case nil: serverName
            }
        var status: UInt32 = 0
        try check(
            gnutls_certificate_verify_peers3(session, host, &status),
            code: .untrusted,
            "the certificate of \(serverName) cannot be verified"
        )
        guard status != 0 else { return }
        let actual = Self.fingerprint(of: try Self.leaf(of: session)).hexadecimal
        throw Self.refusal(
            status,
            subject: "the certificate of \(serverName)",
            advice: "for a development certificate pass --hash \(actual), or --insecure to accept any"
        )
    }

    /// What a verification status means; an expired certificate is that before anything else.
    private static func refusal(_ status: UInt32, subject: String, advice: String) -> CredentialsError {
        func has(_ flag: gnutls_certificate_status_t) -> Bool { status & UInt32(flag.rawValue) != 0 }
        let code: CredentialsError.Code
        let problem: String
        if has(GNUTLS_CERT_EXPIRED) {
            (code, problem) = (.expired, "has expired; the server must replace it")
        } else if has(GNUTLS_CERT_NOT_ACTIVATED) {
            (code, problem) = (.notYetValid, "is not valid yet; check this machine's clock")
        } else if has(GNUTLS_CERT_SIGNER_NOT_FOUND) {
            (code, problem) = (.untrusted, "is not signed by an authority that this system trusts; \(advice)")
        } else if has(GNUTLS_CERT_UNEXPECTED_OWNER) {
            (code, problem) = (.wrongName, "is for another host; use the name it was made for, or \(advice)")
        } else {
            (code, problem) = (.untrusted, "is not acceptable: \(Self.describe(status)) \(advice)")
        }
        return CredentialsError(code: code, message: "\(subject) \(problem)")
    }

    /// GnuTLS' own words for a verification status.
    private static func describe(_ status: UInt32) -> String {
        var text = gnutls_datum_t()
        guard gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) == 0 else {
            return "verification status \(status);"
        }
        defer { CGnuTLS_free(text.data) }
        return String(decoding: UnsafeBufferPointer(start: text.data, count: Int(text.size)), as: UTF8.self)
    }

    /// The server's own certificate; it points into the session.
    private static func leaf(of session: OpaquePointer) throws(CredentialsError) -> gnutls_datum_t {
        var count: UInt32 = 0
        guard let chain = gnutls_certificate_get_peers(session, &count), count > 0 else {
            throw CredentialsError(code: .untrusted, message: "the server has not shown a certificate")
        }
        return chain[0]
    }

    private static func fingerprint(of der: gnutls_datum_t) -> CertificateFingerprint {
        CertificateFingerprint(ofDER: UnsafeRawBufferPointer(start: der.data, count: Int(der.size)))
    }
}
