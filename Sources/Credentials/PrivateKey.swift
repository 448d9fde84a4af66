import CGnuTLS

/// Owns a private key object of GnuTLS.
final class PrivateKey {
    let handle: gnutls_x509_privkey_t

    /// A new ECDSA key on P-256 that every other tool reads.
    ///
    /// GnuTLS 3.7 writes the scalar as a signed integer, with a zero octet in front when its highest bit is set and
    /// without those in front that it has; RFC 5915 § 3 wants exactly 32. Every second key is written so, and strict
    /// readers refuse the others: one is made until it fits.
    static func make() throws(CredentialsError) -> PrivateKey {
        while true {
            let key = try PrivateKey()
            if try key.isStrictlyEncoded { return key }
        }
    }

    private init() throws(CredentialsError) {
        var handle: gnutls_x509_privkey_t?
        try check(gnutls_x509_privkey_init(&handle), "cannot make a private key")
        self.handle = handle!  // set whenever the call succeeds
        let bits = CGnuTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)
        try check(
            gnutls_x509_privkey_generate(self.handle, GNUTLS_PK_ECDSA, bits, 0),
            "cannot generate a private key"
        )
    }

    init(owning handle: gnutls_x509_privkey_t) {
        self.handle = handle
    }

    deinit { gnutls_x509_privkey_deinit(self.handle) }

    /// Whether GnuTLS writes the scalar as RFC 5915 § 3 wants it: behind the version, which is the INTEGER 1, as an
    /// OCTET STRING of 32.
    private var isStrictlyEncoded: Bool {
        get throws(CredentialsError) {
            let version: [UInt8] = [0x02, 0x01, 0x01]
            let der = try self.export(GNUTLS_X509_FMT_DER)
            return der.indices.contains { der[$0...].starts(with: version + [0x04, 0x20]) }
        }
    }

    /// PKCS #8 without encryption.
    func exportPEM() throws(CredentialsError) -> String {
        String(decoding: try self.export(GNUTLS_X509_FMT_PEM), as: UTF8.self)
    }

    /// 32 bytes derived from the key with HKDF-SHA256 (RFC 5869).
    func secret(for label: String) throws(CredentialsError) -> [UInt8] {
        let extracted = try withDatum(self.export(GNUTLS_X509_FMT_DER)) { key throws(CredentialsError) in
            var salt = gnutls_datum_t()
            return try Self.hash("extract") { gnutls_hkdf_extract(GNUTLS_MAC_SHA256, &key, &salt, $0) }
        }
        return try withDatum(extracted) { key throws(CredentialsError) in
            try withDatum(Array(label.utf8)) { info throws(CredentialsError) in
                try Self.hash("expand") { gnutls_hkdf_expand(GNUTLS_MAC_SHA256, &key, &info, $0, Self.hashSize) }
            }
        }
    }

    private static let hashSize = 32

    private static func hash(
        _ step: StaticString,
        _ body: (UnsafeMutablePointer<UInt8>) -> CInt
    ) throws(CredentialsError) -> [UInt8] {
        var result: CInt = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: Self.hashSize) { buffer, count in
            result = body(buffer.baseAddress!)  // an array with room has an address
            count = Self.hashSize
        }
        try check(result, "cannot derive a secret (\(step))")
        return bytes
    }

    private func export(_ format: gnutls_x509_crt_fmt_t) throws(CredentialsError) -> [UInt8] {
        var datum = gnutls_datum_t()
        try check(
            gnutls_x509_privkey_export2_pkcs8(self.handle, format, nil, UInt32(GNUTLS_PKCS_PLAIN.rawValue), &datum),
            "cannot export the private key"
        )
        defer { CGnuTLS_free(datum.data) }
        return Array(UnsafeBufferPointer(start: datum.data, count: Int(datum.size)))
    }
}

/// Lends bytes as GnuTLS takes them.
private func withDatum<Result>(
    _ bytes: [UInt8],
    _ body: (inout gnutls_datum_t) throws(CredentialsError) -> Result
) throws(CredentialsError) -> Result {
    var bytes = bytes
    return try bytes.withUnsafeMutableBufferPointer { buffer throws(CredentialsError) in
        var datum = gnutls_datum_t(data: buffer.baseAddress, size: UInt32(buffer.count))
        return try body(&datum)
    }
}
