/// One HTTP/3 setting (RFC 9114 § 7.2.4.1).
package struct Setting: Hashable, Sendable {
    package struct Identifier: Hashable, Sendable {
        package var rawValue: UInt64

        package init(rawValue: UInt64) {
            self.rawValue = rawValue
        }

        /// SETTINGS_QPACK_MAX_TABLE_CAPACITY (RFC 9204 § 5).
        static var qpackMaxTableCapacity: Self { Self(rawValue: 0x01) }
        /// SETTINGS_MAX_FIELD_SECTION_SIZE (RFC 9114 § 7.2.4.1).
        static var maxFieldSectionSize: Self { Self(rawValue: 0x06) }
        /// SETTINGS_QPACK_BLOCKED_STREAMS (RFC 9204 § 5).
        static var qpackBlockedStreams: Self { Self(rawValue: 0x07) }
        /// SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 9220 § 5).
        package static var enableConnectProtocol: Self { Self(rawValue: 0x08) }
        /// SETTINGS_H3_DATAGRAM (RFC 9297 § 2.1.1).
        package static var h3Datagram: Self { Self(rawValue: 0x33) }
        /// Those that are on or off.
        static let switches: Set<Self> = [.enableConnectProtocol, .h3Datagram]
        /// SETTINGS_ENABLE_WEBTRANSPORT (draft-ietf-webtrans-http3-02 § 3.1): Chromium and Firefox.
        package static var enableWebTransportDraft02: Self { Self(rawValue: 0x2b60_3742) }
        /// WEBTRANSPORT_MAX_SESSIONS (draft-07 § 3.1): Safari.
        package static var webTransportMaxSessionsDraft07: Self { Self(rawValue: 0xc671_706a) }
        /// SETTINGS_WT_MAX_SESSIONS (draft-13 § 3.1): Safari.
        package static var webTransportMaxSessionsDraft13: Self { Self(rawValue: 0x14e9_cd29) }
        /// SETTINGS_WT_ENABLED (draft-15 § 3.1).
        package static var webTransportEnabledDraft15: Self { Self(rawValue: 0x2c7c_f000) }
    }

    package var identifier: Identifier
    package var value: UInt64

    package init(_ identifier: Identifier, _ value: UInt64) {
        self.identifier = identifier
        self.value = value
    }
}
