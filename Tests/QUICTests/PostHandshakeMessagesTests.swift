import Testing

@testable import QUIC

@Suite("TLS messages after the handshake")
struct PostHandshakeMessagesTests {
    /// Two tickets, the second of them empty (RFC 8446 § 4.6.1; only the framing counts here).
    private static let tickets: [UInt8] = [4, 0, 0, 3, 24, 24, 24, 4, 0, 0, 0]
    private static let keyUpdate: [UInt8] = [24, 0, 0, 1, 0]

    @Test("A client takes tickets, however they are cut", arguments: 1...11)
    func tickets(step: Int) {
        var messages = PostHandshakeMessages(isFromServer: true)
        for start in stride(from: 0, to: Self.tickets.count, by: step) {
            let isAllowed = messages.allows(Self.tickets[start..<min(start + step, Self.tickets.count)])
            #expect(isAllowed)
        }
        let isAllowed = messages.allows(Self.keyUpdate)
        #expect(!isAllowed)
    }

    @Test("A client refuses KeyUpdate and CertificateRequest, also behind a ticket", arguments: [24, 13] as [UInt8])
    func forbidden(type: UInt8) {
        for bytes in [[type], Self.tickets + [type, 0, 0, 1, 0]] {
            var messages = PostHandshakeMessages(isFromServer: true)
            let isAllowed = messages.allows(bytes)
            #expect(!isAllowed)
        }
    }

    @Test("A server refuses whatever a client says")
    func fromClient() {
        for (bytes, expected) in [([], true), (Self.tickets, false), (Self.keyUpdate, false)] {
            var messages = PostHandshakeMessages(isFromServer: false)
            let isAllowed = messages.allows(bytes)
            #expect(isAllowed == expected)
        }
    }
}
