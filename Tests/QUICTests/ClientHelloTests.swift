import QUIC
import Testing

@Suite("A ClientHello, read before GnuTLS reads it (RFC 8446 § 4.1.2)")
struct ClientHelloTests {
    /// Version, random, a session ID of one byte, one cipher suite, one compression method, and extensions.
    private func message(_ extensions: [UInt8]) -> [UInt8] {
        [3, 3] + [UInt8](repeating: 9, count: 32) + [1, 0, 0, 2, 0x13, 0x01, 1, 0, 0, UInt8(extensions.count)]
            + extensions
    }

    /// X25519 with a key of three bytes, and a group of GREASE with one.
    private static let keyShares: [UInt8] = [0, 51, 0, 14, 0, 12, 0, 0x1d, 0, 3, 1, 2, 3, 0x0a, 0x0a, 0, 1, 0]
    private static let earlyData: [UInt8] = [0, 42, 0, 0]

    @Test("It says for which groups the client has sent a key")
    func groups() throws {
        let hello = try #require(ClientHello(self.message(Self.earlyData + Self.keyShares + Self.earlyData)))
        #expect(hello.keyShareGroups == [0x001d, 0x0a0a])
        #expect(try #require(ClientHello(self.message(Self.earlyData))).keyShareGroups.isEmpty)
    }

    @Test("A message that ends within a field is none")
    func truncation() {
        let whole = self.message(Self.earlyData + Self.keyShares)
        for count in 0..<whole.count { #expect(ClientHello(whole.prefix(count)) == nil, "\(count) bytes") }
        var shares = Self.keyShares
        shares[5] = 13
        #expect(ClientHello(self.message(shares)) == nil)
        shares = Self.keyShares
        shares[9] = 200
        #expect(ClientHello(self.message(shares)) == nil)
    }
}
