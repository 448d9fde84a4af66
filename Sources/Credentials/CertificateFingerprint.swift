import CGnuTLS

/// The SHA-256 of a certificate's DER encoding, as browsers' `serverCertificateHashes` use it.
public struct CertificateFingerprint: Hashable, Sendable, CustomStringConvertible {
    /// The number of bytes of a SHA-256.
    static let byteCount = 32

    /// The 32 bytes of the hash.
    public let bytes: [UInt8]

    init(ofDER certificate: UnsafeRawBufferPointer) {
        self.bytes = [UInt8](unsafeUninitializedCapacity: Self.byteCount) { output, count in
            let result = gnutls_hash_fast(
                GNUTLS_DIG_SHA256,
                certificate.baseAddress,
                certificate.count,
                output.baseAddress
            )
            precondition(result == GNUTLS_E_SUCCESS, "SHA-256 is part of every GnuTLS and takes any input")
            count = Self.byteCount
        }
    }

    /// Reads 64 hexadecimal digits in either case, with or without a colon between bytes as `openssl x509` prints them.
    public init?(hexadecimal: String) {
        var bytes: [UInt8] = []
        var high: UInt8?
        for character in hexadecimal {
            if character == ":" && high == nil { continue }
            guard character.isASCII, let digit = character.hexDigitValue else { return nil }
            if let upper = high {
                bytes.append(upper << 4 | UInt8(digit))
                high = nil
            } else {
                high = UInt8(digit)
            }
        }
        guard high == nil, bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }

    /// 64 lower-case hexadecimal digits.
    public var hexadecimal: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: self.bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// Base64 with padding (RFC 4648 § 4), for a page that feeds it to `atob`.
    public var base64: String { Base64.encode(self.bytes) }

    public var description: String { self.hexadecimal }
}
