/// A limit on what one peer may make this end do or hold. Whoever goes beyond it is closed with H3_EXCESSIVE_LOAD
/// (RFC 9114 § 10.5; RFC 9000 § 21.9).
package enum Limit: CaseIterable, Sendable {
    /// Packets that neither bring anything nor acknowledge anything.
    case idlePackets
    /// Streams that the peer opens and gives up (RESET_STREAM, STOP_SENDING).
    case abandonedStreams
    /// Streams for sessions that do not exist, or of types that nobody knows.
    case strayStreams
    /// Frames with nothing in them, or that mean nothing here.
    case emptyFrames
    case capsules
    /// Instructions for the compression of header fields.
    case compression
    /// Header sections that have begun and not ended.
    case fieldSections
    case settings
    /// Requests for sessions before they can begin, and what follows them.
    case heldRequests
    /// Responses that the peer asked for and does not read.
    case unreadResponses
    /// Streams that are known by their priority alone (RFC 9218 § 7.2).
    case prioritizedStreams
    /// Data that nobody has taken, data with holes, state of streams and of connection IDs.
    case memory

    /// As it stands in metrics.
    package var name: String {
        switch self {
        case .idlePackets: "idle_packets"
        case .abandonedStreams: "abandoned_streams"
        case .strayStreams: "stray_streams"
        case .emptyFrames: "empty_frames"
        case .capsules: "capsules"
        case .compression: "compression"
        case .fieldSections: "field_sections"
        case .settings: "settings"
        case .heldRequests: "held_requests"
        case .unreadResponses: "unread_responses"
        case .prioritizedStreams: "prioritized_streams"
        case .memory: "memory"
        }
    }

    /// What the peer did, for the reason of its close.
    package var excess: String {
        switch self {
        case .idlePackets: "too many packets that neither bring nor acknowledge anything"
        case .abandonedStreams: "too many streams that are opened and given up"
        case .strayStreams: "too many streams of sessions or types that do not exist"
        case .emptyFrames: "too many frames with nothing in them"
        case .capsules: "too many capsules"
        case .compression: "too many instructions for the compression of header fields"
        case .fieldSections: "too much of header sections that do not end"
        case .settings: "too large a SETTINGS frame"
        case .heldRequests: "too much of sessions before SETTINGS or the end of the handshake"
        case .unreadResponses: "responses that are not read"
        case .prioritizedStreams: "priorities of too many streams that never come, or have gone"
        case .memory: "too much data with holes or unread, or too many connection IDs"
        }
    }
}

extension HTTP3Error {
    /// The peer has gone beyond a limit.
    package init(_ limit: Limit) {
        self.init(.excessiveLoad, limit.excess)
        self.limit = limit
    }
}
