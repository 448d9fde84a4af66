import CGnuTLS

/// Owns a certificate object of GnuTLS.
final class X509Certificate {
    /// For calls into GnuTLS that must not keep it.
    let handle: gnutls_x509_crt_t

    /// An empty certificate, to be filled in.
    init() throws(CredentialsError) {
        var handle: gnutls_x509_crt_t?
        try check(gnutls_x509_crt_init(&handle), "cannot make a certificate")
        self.handle = handle!  // set whenever the call succeeds
    }

    convenience init(der: gnutls_datum_t) throws(CredentialsError) {
        try self.init()
        var der = der
        try check(gnutls_x509_crt_import(self.handle, &der, GNUTLS_X509_FMT_DER), code: .malformed, "not a certificate")
    }

    /// The first certificate of a PEM text.
    convenience init(pem: [UInt8]) throws(CredentialsError) {
        try self.init()
        var pem = pem
        let result = pem.withUnsafeMutableBufferPointer { pem in
            var datum = gnutls_datum_t(data: pem.baseAddress, size: UInt32(pem.count))
            return gnutls_x509_crt_import(self.handle, &datum, GNUTLS_X509_FMT_PEM)
        }
        try check(result, code: .malformed, "not a certificate")
    }

    deinit { gnutls_x509_crt_deinit(self.handle) }

    /// Seconds since the epoch.
    var notValidBefore: Int64 { Int64(gnutls_x509_crt_get_activation_time(self.handle)) }

    /// Seconds since the epoch.
    var notValidAfter: Int64 { Int64(gnutls_x509_crt_get_expiration_time(self.handle)) }

    /// Whether its key is for RSA, which browsers do not take by its hash.
    var hasRSAKey: Bool {
        let algorithm = gnutls_x509_crt_get_pk_algorithm(self.handle, nil)
        return [GNUTLS_PK_RSA, GNUTLS_PK_RSA_PSS].contains { algorithm == Int32($0.rawValue) }
    }

    /// The DNS names and IP addresses of its subject alternative names (RFC 5280 § 4.2.1.6).
    var hosts: [Host] {
        var hosts: [Host] = []
        for index in 0... {
            // A name is at most 253 bytes long; what is longer is none that `Host` takes.
            var bytes = [UInt8](repeating: 0, count: 256)
            var size = bytes.count
            let kind = gnutls_x509_crt_get_subject_alt_name(self.handle, UInt32(index), &bytes, &size, nil)
            if kind == GNUTLS_E_SHORT_MEMORY_BUFFER { continue }
            // There are no more, or the extension is malformed from here on.
            guard kind >= 0 else { break }
            switch gnutls_x509_subject_alt_name_t(UInt32(kind)) {
            case GNUTLS_SAN_DNSNAME:
                if let host = Host(String(decoding: bytes[..<size], as: UTF8.self)) { hosts.append(host) }
            case GNUTLS_SAN_IPADDRESS:
                if let host = Host(address: Array(bytes[..<size])) { hosts.append(host) }
            default: break
            }
        }
        return hosts
    }
}

/// The period in which a certificate is valid, both ends included (RFC 5280 § 4.1.2.5).
struct Validity: Hashable, Sendable {
    var notBefore: Int64
    var notAfter: Int64

    /// How long it is.
    var seconds: Int64 { self.notAfter - self.notBefore + 1 }

    /// - Parameters:
    ///   - subject: begins the error's sentence, such as "the certificate certs/a.pem".
    ///   - advice: ends the sentence when the certificate has expired.
    func check(at now: Int64, subject: String, advice: String) throws(CredentialsError) {
        if now > self.notAfter {
            let time = UnixTime.formatted(self.notAfter)
            throw CredentialsError(code: .expired, message: "\(subject) expired at \(time); \(advice)")
        }
        if now < self.notBefore {
            throw CredentialsError(
                code: .notYetValid,
                message: "\(subject) is not valid before \(UnixTime.formatted(self.notBefore)), and it is "
                    + "\(UnixTime.formatted(now)) now; check this machine's clock"
            )
        }
    }
}
