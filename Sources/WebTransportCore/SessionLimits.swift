/// What one endpoint lets the other send in a session (draft-ietf-webtrans-http3 § 5.3, § 5.4).
package struct SessionLimits: Hashable, Sendable {
    /// Bytes of all streams' bodies together.
    package var data: UInt64
    /// Bidirectional streams that the other may open, closed ones included.
    package var bidirectionalStreams: UInt64
    /// Likewise for unidirectional streams.
    package var unidirectionalStreams: UInt64

    /// RFC 9000 § 16: the largest that can be written.
    package static let maxData: UInt64 = 1 << 62 - 1
    /// draft-ietf-webtrans-http3 § 5.6.2: IDs of more streams cannot be written.
    package static let maxStreams: UInt64 = 1 << 60

    /// A limit of streams beyond the possible is the possible one.
    package init(data: UInt64, bidirectionalStreams: UInt64, unidirectionalStreams: UInt64) {
        self.data = min(data, Self.maxData)
        self.bidirectionalStreams = min(bidirectionalStreams, Self.maxStreams)
        self.unidirectionalStreams = min(unidirectionalStreams, Self.maxStreams)
    }

    /// No limits but those of QUIC.
    package static var unlimited: Self {
        Self(data: .max, bidirectionalStreams: .max, unidirectionalStreams: .max)
    }

    /// The initial limits that an endpoint states in its SETTINGS; nil when it states none.
    init?(in settings: SettingValues) {
        self.init(
            data: settings[.wtInitialMaxData],
            bidirectionalStreams: settings[.wtInitialMaxStreamsBidi],
            unidirectionalStreams: settings[.wtInitialMaxStreamsUni]
        )
        guard self != .none else { return nil }
    }

    /// Nothing may be sent before capsules allow it.
    static var none: Self { Self(data: 0, bidirectionalStreams: 0, unidirectionalStreams: 0) }
}
