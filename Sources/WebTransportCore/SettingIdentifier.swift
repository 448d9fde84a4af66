/// A setting that WebTransport is negotiated with (RFC 9114 § 7.2.4.1).
///
/// HTTP/3 passes them on as numbers. What it enforces itself it knows by names of its own; a test holds the two
/// together.
package struct SettingIdentifier: Hashable, Sendable {
    package var rawValue: UInt64

    private init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 9220 § 5).
    package static var enableConnectProtocol: Self { Self(0x08) }
    /// SETTINGS_H3_DATAGRAM (RFC 9297 § 2.1.1).
    package static var h3Datagram: Self { Self(0x33) }
    /// What SETTINGS_H3_DATAGRAM was called when draft-02 was young (draft-ietf-masque-h3-datagram-04 § 9.1).
    package static var h3DatagramDraft04: Self { Self(0xff_d277) }
    /// SETTINGS_ENABLE_WEBTRANSPORT (draft-ietf-webtrans-http3-02 § 3.1): Chromium and Firefox.
    package static var enableWebTransport: Self { Self(0x2b60_3742) }
    /// SETTINGS_WEBTRANSPORT_MAX_SESSIONS (draft-07 § 3.1): Safari.
    package static var webTransportMaxSessions: Self { Self(0xc671_706a) }
    /// SETTINGS_WT_MAX_SESSIONS (draft-13 § 3.1): Safari.
    package static var wtMaxSessions: Self { Self(0x14e9_cd29) }
    /// SETTINGS_WT_ENABLED (draft-15 § 3.1).
    package static var wtEnabled: Self { Self(0x2c7c_f000) }
    /// SETTINGS_WT_INITIAL_MAX_DATA (draft-14 § 5.5).
    package static var wtInitialMaxData: Self { Self(0x2b61) }
    /// SETTINGS_WT_INITIAL_MAX_STREAMS_UNI (draft-14 § 5.5).
    package static var wtInitialMaxStreamsUni: Self { Self(0x2b64) }
    /// SETTINGS_WT_INITIAL_MAX_STREAMS_BIDI (draft-14 § 5.5).
    package static var wtInitialMaxStreamsBidi: Self { Self(0x2b65) }
}

/// What one endpoint says in its SETTINGS.
package struct SettingValues: Hashable, Sendable {
    private var values: [UInt64: UInt64]

    /// - Parameter values: by the settings' numbers, also of such as mean nothing here.
    package init(_ values: [UInt64: UInt64]) {
        self.values = values
    }

    /// A setting that was not sent is 0 (draft-ietf-webtrans-http3 § 9.2; RFC 9220 § 5; RFC 9297 § 2.1.1).
    package subscript(_ identifier: SettingIdentifier) -> UInt64 {
        self.values[identifier.rawValue, default: 0]
    }
}

extension SettingValues: CustomStringConvertible {
    package var description: String {
        self.values.sorted { $0.key < $1.key }.map { "0x\(String($0.key, radix: 16))=\($0.value)" }
            .joined(separator: " ")
    }
}
