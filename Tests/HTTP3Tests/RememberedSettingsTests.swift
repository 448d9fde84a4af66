import HTTP3
import Testing

@Suite("Settings that are remembered for early data (RFC 9114 § 7.2.4.2)") struct RememberedSettingsTests {
    private static func setting(_ identifier: UInt64, _ value: UInt64) -> Setting {
        Setting(.init(rawValue: identifier), value)
    }

    private static let remembered = [
        setting(0x01, 4096), setting(0x06, 65_536), setting(0x07, 16), setting(0x08, 1), setting(0x33, 1),
        setting(0x2b60_3742, 1), setting(0x21, 7),
    ]

    @Test("They survive being kept") func encoding() throws {
        let settings = RememberedSettings(Self.remembered)
        #expect(RememberedSettings(encoded: settings.encoded) == settings)
        #expect(RememberedSettings(encoded: [0x06]) == nil)
    }

    @Test("A server may raise its limits, and say less of what nobody relied on") func compatible() throws {
        let settings = RememberedSettings(Self.remembered)
        try settings.check(against: Self.remembered)
        try settings.check(against: [
            Self.setting(0x01, 8192), Self.setting(0x07, 17), Self.setting(0x08, 1), Self.setting(0x33, 1),
        ])
    }

    @Test(
        "A server that lowers a limit or leaves it out breaks its promise: H3_SETTINGS_ERROR",
        arguments: [0x01, 0x07, 0x08, 0x33]
    ) func lowered(identifier: UInt64) {
        let settings = RememberedSettings(Self.remembered)
        let others = Self.remembered.filter { $0.identifier.rawValue != identifier }
        for now in [others, others + [Self.setting(identifier, 0)]] {
            let error = #expect(throws: HTTP3Error.self) { try settings.check(against: now) }
            #expect(error?.code == .settingsError)
        }
    }

    @Test("A limit on the size of fields is new where none was remembered") func newLimit() throws {
        let unlimited = RememberedSettings([])
        #expect(throws: HTTP3Error.self) { try unlimited.check(against: [Self.setting(0x06, 1 << 30)]) }
        try unlimited.check(against: [])
    }
}
