import QUIC
import Testing

@Suite("A server's extensions, read before GnuTLS reads them (RFC 8446 § 4.3.1)")
struct EncryptedExtensionsTests {
    private static let alpn: [UInt8] = [0, 16, 0, 5, 0, 3, 2, 0x68, 0x33]

    private static func message(_ parameters: [UInt8]) -> [UInt8] {
        let content = Self.alpn + [0, 0x39, 0, UInt8(parameters.count)] + parameters
        return [0, UInt8(content.count)] + content
    }

    /// `max_idle_timeout`, and a preferred address of two bytes, which only has to be there.
    private static let idleTimeout: [UInt8] = [0x01, 2, 0x40, 0x64]
    private static let preferredAddress: [UInt8] = [0x0d, 2, 7, 7]

    @Test("It says whether the server prefers another address, however long its number is written (RFC 9000 § 16)")
    func preferredAddress() throws {
        #expect(try #require(EncryptedExtensions(Self.message(Self.idleTimeout))).hasPreferredAddress == false)
        for id in [[0x0d], [0x40, 0x0d], [0x80, 0, 0, 0x0d], [0xc0, 0, 0, 0, 0, 0, 0, 0x0d]] as [[UInt8]] {
            for size in [[2], [0x40, 2]] as [[UInt8]] {
                let parameters = Self.idleTimeout + id + size + [7, 7]
                #expect(try #require(EncryptedExtensions(Self.message(parameters))).hasPreferredAddress)
            }
        }
        // A value that looks like it.
        let other = try #require(EncryptedExtensions(Self.message([0x01, 3, 0x0d, 1, 7])))
        #expect(!other.hasPreferredAddress)
    }

    @Test("A message that ends within a field is none")
    func truncation() {
        let whole = Self.message(Self.idleTimeout + Self.preferredAddress)
        for count in 0..<whole.count { #expect(EncryptedExtensions(whole.prefix(count)) == nil, "\(count) bytes") }
        #expect(EncryptedExtensions(Self.message([0xff] + [UInt8](repeating: 0xff, count: 20))) == nil)
    }
}
