import Testing

@testable import Credentials

@Suite("Certificate fingerprint")
struct CertificateFingerprintTests {
    /// SHA-256 of "abc" (FIPS 180-4's example).
    static let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    @Test("The hash is SHA-256")
    func vector() {
        let fingerprint = Array("abc".utf8).withUnsafeBytes { CertificateFingerprint(ofDER: $0) }
        #expect(fingerprint.hexadecimal == Self.abc)
        #expect(fingerprint.base64 == "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=")
    }

    @Test("Hexadecimal is read in either case, with and without colons")
    func parsing() throws {
        let plain = try #require(CertificateFingerprint(hexadecimal: Self.abc))
        let upper = Self.abc.uppercased()
        let pairs = stride(from: 0, to: 64, by: 2).map { String(Array(upper)[$0..<$0 + 2]) }
        #expect(CertificateFingerprint(hexadecimal: upper) == plain)
        #expect(CertificateFingerprint(hexadecimal: pairs.joined(separator: ":")) == plain)
    }

    @Test(
        "What is not 32 bytes in hexadecimal is refused",
        arguments: ["", "ba", String(abc.dropLast()), abc + "00", "g" + abc.dropFirst(), "b:a" + abc.dropFirst(2)]
    )
    func malformed(text: String) {
        #expect(CertificateFingerprint(hexadecimal: text) == nil)
    }
}
