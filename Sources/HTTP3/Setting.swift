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
    }

    package var identifier: Identifier
    package var value: UInt64

    package init(_ identifier: Identifier, _ value: UInt64) {
        self.identifier = identifier
        self.value = value
    }
}
