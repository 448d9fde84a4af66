import Testing
import WebTransportCore

@Suite("Which dialects of WebTransport are spoken [1, 2]")
struct NegotiationTests {
    private static let limits = SessionLimits(data: 1000, bidirectionalStreams: 10, unidirectionalStreams: 20)
    private static let several = WebTransportOffer.severalSessions(4, limits: limits)

    /// SETTINGS as browsers send them, measured.
    private static let chromium156 = SettingValues([
        0x01: 65536, 0x06: 16384, 0x07: 100, 0x33: 1, 0xff_d277: 1, 0x2b60_3742: 1,
    ])
    private static let firefox153 = SettingValues([
        0x01: 65536, 0x07: 20, 0x08: 1, 0x33: 1, 0xff_d277: 1, 0x2b60_3742: 1,
    ])
    /// As reported: a hybrid of draft-07 and draft-13, with limits and without.
    private static let safari = SettingValues([0x08: 1, 0x33: 1, 0xc671_706a: 1, 0x14e9_cd29: 1])
    private static let safariWithLimits = SettingValues([
        0x08: 1, 0x33: 1, 0xc671_706a: 1, 0x14e9_cd29: 1, 0x2b61: 1 << 20, 0x2b64: 100, 0x2b65: 100,
    ])

    // MARK: What is offered

    @Test("Each dialect and what it needs is offered once, with 1, and no limit is")
    func offer() {
        let offered = WebTransportOffer.oneSession.settings
        #expect(offered.map(\.identifier.rawValue) == [0x08, 0x33, 0x2b60_3742, 0xc671_706a, 0x14e9_cd29, 0x2c7c_f000])
        #expect(offered.allSatisfy { $0.value == 1 })
    }

    @Test("Who offers several sessions states their limits too, and still says 1 where Chromium and draft-07 want it")
    func severalOffered() {
        let offered = Dictionary(uniqueKeysWithValues: Self.several.settings.map { ($0.identifier.rawValue, $0.value) })
        #expect(
            offered == [
                0x08: 1, 0x33: 1, 0x2b60_3742: 1, 0xc671_706a: 1, 0x14e9_cd29: 4, 0x2c7c_f000: 1,
                0x2b61: 1000, 0x2b64: 20, 0x2b65: 10,
            ]
        )
    }

    @Test("Limits that cannot be written are the largest that can")
    func largestLimits() {
        #expect(SessionLimits.unlimited.data == 1 << 62 - 1)
        #expect(SessionLimits.unlimited.bidirectionalStreams == 1 << 60)
        #expect(SessionLimits.unlimited.unidirectionalStreams == 1 << 60)
    }

    // MARK: What comes of it

    @Test(
        "Browsers get one session on a connection, without limits, whatever this end offers",
        arguments: [(chromium156, Dialect.draft02), (firefox153, .draft02), (safari, .draft13)],
        [WebTransportOffer.oneSession, several]
    )
    func browsers(browser: (settings: SettingValues, dialect: Dialect), offer: WebTransportOffer) {
        #expect(Negotiation.reasonAgainstClient(browser.settings, takesDatagrams: true) == nil)
        let terms = Negotiation(as: .server, offering: offer, to: browser.settings)
        #expect(terms.dialect == browser.dialect)
        #expect(terms.flowControl == nil)
        #expect(terms.maxSessions == 1)
        #expect(!terms.peerExpectsCredit)
    }

    @Test("A client that keeps limits gets credit also where this end states none")
    func creditExpected() {
        let terms = Negotiation(as: .server, offering: .oneSession, to: Self.safariWithLimits)
        #expect(terms.flowControl == nil)
        #expect(terms.maxSessions == 1)
        #expect(terms.peerExpectsCredit)
    }

    @Test("Limits hold when both ends state some (draft-15 § 5.1), each for what the other sends")
    func bothKeepLimits() throws {
        let terms = Negotiation(as: .server, offering: Self.several, to: Self.safariWithLimits)
        let flowControl = try #require(terms.flowControl)
        #expect(flowControl.granted == Self.limits)
        #expect(
            flowControl.received
                == SessionLimits(data: 1 << 20, bidirectionalStreams: 100, unidirectionalStreams: 100)
        )
        #expect(terms.maxSessions == 4)
        #expect(!terms.peerExpectsCredit)
    }

    @Test(
        "Any one initial limit declares them (draft-15 § 5.1); so does more than one session (draft-14 § 5.1)",
        arguments: [0x2b61, 0x2b64, 0x2b65, 0x14e9_cd29] as [UInt64]
    )
    func declarations(identifier: UInt64) throws {
        let peer = SettingValues([0x33: 1, identifier: 2])
        let terms = Negotiation(as: .server, offering: Self.several, to: peer)
        let received = try #require(terms.flowControl).received
        #expect(received.data == (identifier == 0x2b61 ? 2 : 0))
        #expect(received.unidirectionalStreams == (identifier == 0x2b64 ? 2 : 0))
        #expect(received.bidirectionalStreams == (identifier == 0x2b65 ? 2 : 0))
        // Draft-07 had the number of sessions without limits.
        let draft07 = Negotiation(as: .server, offering: Self.several, to: SettingValues([0x33: 1, 0xc671_706a: 2]))
        #expect(draft07.flowControl == nil)
    }

    @Test("The newest dialect that the peer announces is spoken", arguments: [Negotiation.Role.client, .server])
    func newest(role: Negotiation.Role) {
        let cases: [([UInt64], Dialect?)] = [
            ([], nil), ([0x2b60_3742], .draft02), ([0xc671_706a], .draft07), ([0x14e9_cd29], .draft13),
            ([0x2c7c_f000], .draft15), ([0x2b60_3742, 0xc671_706a], .draft07), ([0x2b60_3742, 0x2c7c_f000], .draft15),
            ([0x2b60_3742, 0xc671_706a, 0x14e9_cd29], .draft13),
            ([0x2b60_3742, 0xc671_706a, 0x14e9_cd29, 0x2c7c_f000], .draft15),
        ]
        for (announced, dialect) in cases {
            let peer = SettingValues(Dictionary(uniqueKeysWithValues: announced.map { ($0, 1) }))
            #expect(Negotiation(as: role, offering: .oneSession, to: peer).dialect == dialect)
        }
    }

    @Test("`:protocol` is webtransport-h3 for a server of draft-15 and later only")
    func connectProtocol() {
        let protocols = Dialect.allCases.map(\.connectProtocol)
        #expect(protocols == ["webtransport", "webtransport", "webtransport", "webtransport-h3"])
        #expect(Negotiation.connectProtocols == ["webtransport", "webtransport-h3"])
    }

    @Test("A client puts as many sessions on a connection as the server says; draft-15 needs no number (§ 5.2)")
    func clientSessions() {
        func sessions(_ settings: [UInt64: UInt64], _ offer: WebTransportOffer = Self.several) -> Int {
            Negotiation(as: .client, offering: offer, to: SettingValues(settings)).maxSessions
        }
        #expect(sessions([0x14e9_cd29: 3, 0x2b61: 1]) == 3)
        #expect(sessions([0x14e9_cd29: 3, 0x2b61: 1], .oneSession) == 1)
        #expect(sessions([0x14e9_cd29: 100, 0x2b61: 1]) == 4)
        #expect(sessions([0x14e9_cd29: .max, 0x2b61: 1]) == 4)
        #expect(sessions([0x14e9_cd29: 1, 0x2b61: 1]) == 1)
        #expect(sessions([0x2b60_3742: 1, 0x2b61: 1]) == 1)
        #expect(sessions([0x2c7c_f000: 1, 0x2b61: 1]) == 4)
        #expect(sessions([0x2c7c_f000: 1, 0x2b61: 1, 0x14e9_cd29: 3]) == 3)
        #expect(sessions([0x2c7c_f000: 1]) == 1)
    }

    // MARK: Who cannot

    @Test("Any one dialect will do", arguments: [0x2b60_3742, 0xc671_706a, 0x14e9_cd29, 0x2c7c_f000] as [UInt64])
    func dialects(identifier: UInt64) {
        #expect(Negotiation.reasonAgainstServer(SettingValues([0x08: 1, identifier: 1])) == nil)
        #expect(Negotiation.reasonAgainstServer(SettingValues([0x08: 1, identifier: 0])) != nil)
    }

    @Test("A number of sessions may be more than 1, a switch may not (draft-16 § 3.1)")
    func switches() {
        for identifier in [0xc671_706a, 0x14e9_cd29] as [UInt64] {
            #expect(Negotiation.reasonAgainstServer(SettingValues([0x08: 1, identifier: 16])) == nil)
        }
        for identifier in [0x2b60_3742, 0x2c7c_f000] as [UInt64] {
            #expect(Negotiation.reasonAgainstServer(SettingValues([0x08: 1, identifier: 2])) != nil)
        }
        #expect(Negotiation.isSettingsError(ofServer: SettingValues([0x2c7c_f000: 2])))
        for settings in [[:], [0x2c7c_f000: 0], [0x2c7c_f000: 1], [0x2b60_3742: 2]] as [[UInt64: UInt64]] {
            #expect(!Negotiation.isSettingsError(ofServer: SettingValues(settings)))
        }
    }

    @Test("Without extended CONNECT there is no session, and the reason says so (RFC 9220)")
    func extendedConnect() throws {
        for settings in [[:], [0x08: 0], [0x08: 2]] as [[UInt64: UInt64]] {
            let settings = SettingValues(settings.merging([0x2b60_3742: 1]) { $1 })
            let reason = try #require(Negotiation.reasonAgainstServer(settings))
            #expect(reason.contains("0x08"))
        }
        let reason = try #require(Negotiation.reasonAgainstServer(SettingValues([0x08: 1, 0x33: 1])))
        #expect(reason.contains("WebTransport"))
    }

    @Test("A client needs HTTP datagrams, under their name or that of draft-02's time, and QUIC datagrams below")
    func clients() {
        #expect(Negotiation.reasonAgainstClient(SettingValues([0x33: 1]), takesDatagrams: true) == nil)
        #expect(Negotiation.reasonAgainstClient(SettingValues([0xff_d277: 1]), takesDatagrams: true) == nil)
        #expect(Negotiation.reasonAgainstClient(SettingValues([0x33: 1]), takesDatagrams: false) != nil)
        #expect(Negotiation.reasonAgainstClient(SettingValues([0x33: 0]), takesDatagrams: true) != nil)
        #expect(Negotiation.reasonAgainstClient(SettingValues([:]), takesDatagrams: true) != nil)
    }
}
