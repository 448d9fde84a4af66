import Testing
import WebTransportCore

@Suite("Which dialects of WebTransport are spoken")
struct NegotiationTests {
    @Test("Each setting that a browser needs is offered once, with 1, and WT_ENABLED is not")
    func offer() {
        let offered = Negotiation.offeredSettings
        #expect(Set(offered.map(\.identifier)) == [0x08, 0x33, 0x2b60_3742, 0xc671_706a, 0x14e9_cd29])
        #expect(offered.count == 5)
        #expect(offered.allSatisfy { $0.value == 1 })
    }

    @Test("Both values of :protocol are accepted, and ours is one of them")
    func protocols() {
        #expect(Negotiation.protocols == ["webtransport", "webtransport-h3"])
        #expect(Negotiation.protocols.contains(Negotiation.clientProtocol))
    }

    @Test("Any one dialect will do", arguments: [0x2b60_3742, 0xc671_706a, 0x14e9_cd29, 0x2c7c_f000] as [UInt64])
    func dialects(identifier: UInt64) {
        #expect(Negotiation.reasonAgainstServer(settings: [0x08: 1, identifier: 1]) == nil)
        #expect(Negotiation.reasonAgainstServer(settings: [0x08: 1, identifier: 16]) == nil)
        #expect(Negotiation.reasonAgainstServer(settings: [0x08: 1, identifier: 0]) != nil)
    }

    @Test("Without extended CONNECT there is no session, and the reason says so (RFC 9220)")
    func connectProtocol() throws {
        for settings in [[:], [0x08: 0], [0x08: 2]] as [[UInt64: UInt64]] {
            let settings = settings.merging([0x2b60_3742: 1]) { $1 }
            let reason = try #require(Negotiation.reasonAgainstServer(settings: settings))
            #expect(reason.contains("0x08"))
        }
        let reason = try #require(Negotiation.reasonAgainstServer(settings: [0x08: 1, 0x33: 1]))
        #expect(reason.contains("WebTransport"))
    }

    @Test("A client needs HTTP datagrams, under their name or that of draft-02's time, and QUIC datagrams below")
    func clients() {
        #expect(Negotiation.reasonAgainstClient(settings: [0x33: 1], takesDatagrams: true) == nil)
        #expect(Negotiation.reasonAgainstClient(settings: [0xff_d277: 1], takesDatagrams: true) == nil)
        #expect(Negotiation.reasonAgainstClient(settings: [0x33: 1], takesDatagrams: false) != nil)
        #expect(Negotiation.reasonAgainstClient(settings: [0x33: 0], takesDatagrams: true) != nil)
        #expect(Negotiation.reasonAgainstClient(settings: [:], takesDatagrams: true) != nil)
    }
}
