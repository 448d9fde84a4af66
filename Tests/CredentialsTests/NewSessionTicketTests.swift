import Credentials
import Testing

@Suite("A ticket's message (RFC 8446 § 4.6.1)") struct NewSessionTicketTests {
    /// Lifetime 7200, an age to add, a nonce of two bytes, a ticket of three, and extensions.
    private func message(_ extensions: [UInt8]) -> [UInt8] {
        [0, 0, 0x1c, 0x20, 1, 2, 3, 4, 2, 8, 9, 0, 3, 5, 6, 7, 0, UInt8(extensions.count)] + extensions
    }

    private static let earlyData: [UInt8] = [0, 42, 0, 4, 0xff, 0xff, 0xff, 0xff]

    @Test("It says how long it holds, and whether it takes early data") func fields() throws {
        let plain = try #require(NewSessionTicket(self.message([])))
        #expect(plain.lifetime == 7200 && plain.maxEarlyDataSize == nil)
        let early = try #require(NewSessionTicket(self.message(Self.earlyData)))
        #expect(early.lifetime == 7200 && early.maxEarlyDataSize == .max)
    }

    @Test("Other extensions are ignored, before and behind") func unknown() throws {
        let grease: [UInt8] = [0x0a, 0x0a, 0, 1, 0]
        let ticket = try #require(NewSessionTicket(self.message(grease + Self.earlyData + grease)))
        #expect(ticket.maxEarlyDataSize == .max)
    }

    @Test("A message that ends within a field is none") func truncation() {
        let whole = self.message(Self.earlyData)
        for count in 0..<whole.count { #expect(NewSessionTicket(whole.prefix(count)) == nil, "\(count) bytes") }
        #expect(NewSessionTicket(self.message([0, 42, 0, 3, 1, 2, 3])) == nil)
        #expect(NewSessionTicket(self.message([0, 42, 0, 5, 1, 2, 3, 4, 5])) == nil)
    }
}
