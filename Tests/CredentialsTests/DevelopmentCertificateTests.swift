import CGnuTLS
import Foundation
import Glibc
import Testing

@testable import Credentials

@Suite("Development certificate")
struct DevelopmentCertificateTests {
    /// 2026-01-01 00:00:00 UTC.
    static let now: Int64 = 1_767_225_600

    @Test("A certificate that was made loads as an identity with the same fingerprint and validity")
    func load() throws {
        let made = try DevelopmentCertificate(at: Self.now)
        let identity = try made.makeIdentity(at: Self.now)
        #expect(identity.fingerprint == made.fingerprint)
        #expect(identity.notValidBefore == made.notValidBefore)
        #expect(identity.notValidAfter == made.notValidAfter)
    }

    @Test("The fingerprint is GnuTLS' own SHA-256 fingerprint of the certificate")
    func fingerprint() throws {
        let made = try DevelopmentCertificate(at: Self.now)
        let bytes = try Parsed(made.certificatePEM) { certificate in
            var bytes = [UInt8](repeating: 0, count: 32)
            var count = bytes.count
            #expect(gnutls_x509_crt_get_fingerprint(certificate, GNUTLS_DIG_SHA256, &bytes, &count) == 0)
            return bytes
        }.value
        #expect(made.fingerprint.bytes == bytes)
    }

    @Test("The scalar of each key takes exactly 32 octets, as strict readers want it (RFC 5915 § 3)")
    func scalar() throws {
        for _ in 0..<20 {
            let body = try PrivateKey.make().exportPEM().split(separator: "\n").dropFirst().dropLast().joined()
            let der = try #require(Data(base64Encoded: body))
            // ECPrivateKey begins with the INTEGER 1, and the scalar is the OCTET STRING behind it.
            #expect(der.range(of: Data([0x02, 0x01, 0x01, 0x04, 0x20])) != nil)
        }
    }

    @Test("The lifetime, with its beginning in the past, is within the days asked for", arguments: [1, 13, 14])
    func lifetime(days: Int) throws {
        let made = try DevelopmentCertificate(days: days, at: Self.now)
        #expect(made.notValidBefore < Self.now)
        // RFC 5280 § 4.1.2.5 counts both ends.
        #expect(made.notValidAfter - made.notValidBefore + 1 == Int64(days) * 86_400)
    }

    @Test("Days outside 1 to 14 are refused", arguments: [-1, 0, 15, 365])
    func days(days: Int) {
        #expect { try DevelopmentCertificate(days: days) } throws: {
            ($0 as? CredentialsError)?.code == .invalidRequest
        }
    }

    @Test(
        "Hosts that are no names or addresses are refused",
        arguments: ["", "a b", "https://a", "a:443", "[::1", "a..b"]
    )
    func hosts(host: String) {
        #expect { try DevelopmentCertificate(hosts: [host]) } throws: {
            ($0 as? CredentialsError)?.code == .invalidRequest
        }
    }

    @Test("Names and both kinds of addresses become subject alternative names")
    func alternativeNames() throws {
        let made = try DevelopmentCertificate(hosts: ["apus.test", "localhost", "10.1.2.3", "::1", "[2001:db8::1]"])
        try Parsed(made.certificatePEM) { certificate in
            for host in ["apus.test", "localhost", "10.1.2.3", "::1", "2001:db8::1"] {
                #expect(gnutls_x509_crt_check_hostname(certificate, host) != 0, "\(host)")
            }
            #expect(gnutls_x509_crt_check_hostname(certificate, "other.test") == 0)
        }
    }

    @Test("It is a version 3 ECDSA P-256 end-entity certificate for TLS servers")
    func profile() throws {
        let made = try DevelopmentCertificate(at: Self.now)
        try Parsed(made.certificatePEM) { certificate in
            var curve = GNUTLS_ECC_CURVE_INVALID
            #expect(gnutls_x509_crt_get_version(certificate) == 3)
            #expect(gnutls_x509_crt_get_pk_ecc_raw(certificate, &curve, nil, nil) == 0)
            #expect(curve == GNUTLS_ECC_CURVE_SECP256R1)
            #expect(gnutls_x509_crt_get_signature_algorithm(certificate) == Int32(GNUTLS_SIGN_ECDSA_SHA256.rawValue))
            #expect(gnutls_x509_crt_get_ca_status(certificate, nil) == 0)
            var purpose = [UInt8](repeating: 0, count: 64)
            var count = purpose.count
            #expect(gnutls_x509_crt_get_key_purpose_oid(certificate, 0, &purpose, &count, nil) == 0)
            #expect(String(decoding: purpose[..<count], as: UTF8.self) == GNUTLS_KP_TLS_WWW_SERVER)
        }
    }

    @Test("Each certificate has its own key and serial")
    func unique() throws {
        let first = try DevelopmentCertificate(at: Self.now)
        let second = try DevelopmentCertificate(at: Self.now)
        #expect(first.fingerprint != second.fingerprint)
        #expect(first.privateKeyPEM != second.privateKeyPEM)
    }

    @Test("Writing replaces both files, and only the owner may read the key")
    func write() throws {
        let directory = try TemporaryDirectory()
        let target = directory.path + "/certs"
        try DevelopmentCertificate().write(to: target)
        let made = try DevelopmentCertificate()
        try made.write(to: target)

        var status = stat()
        #expect(stat(target + "/development.key", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        #expect(directory.names(in: "certs") == ["development.key", "development.pem"])
        let identity = try ServerIdentity(
            certificateFile: target + "/development.pem",
            privateKeyFile: target + "/development.key"
        )
        #expect(identity.fingerprint == made.fingerprint)
    }

    @Test("A directory that cannot be made is an error that names it")
    func unwritable() throws {
        let made = try DevelopmentCertificate()
        #expect { try made.write(to: "/dev/null/certs") } throws: {
            guard let error = $0 as? CredentialsError else { return false }
            return error.code == .unwritable && error.message.contains("/dev/null")
        }
    }
}

/// A certificate as GnuTLS parses it, within a closure.
private struct Parsed<Value> {
    let value: Value

    @discardableResult
    init(_ pem: String, _ body: (gnutls_x509_crt_t) throws -> Value) throws {
        var certificate: gnutls_x509_crt_t?
        try #require(gnutls_x509_crt_init(&certificate) == 0)
        let parsed = try #require(certificate)
        defer { gnutls_x509_crt_deinit(parsed) }
        var bytes = Array(pem.utf8)
        let result = bytes.withUnsafeMutableBufferPointer { bytes in
            var datum = gnutls_datum_t(data: bytes.baseAddress, size: UInt32(bytes.count))
            return gnutls_x509_crt_import(parsed, &datum, GNUTLS_X509_FMT_PEM)
        }
        try #require(result == 0)
        self.value = try body(parsed)
    }
}
