import NIOHTTP2

/// What a peer did too much of on a connection of HTTP/2, which NIOHTTP2 has then ended; the limits are `HTTP2Limits`.
/// The raw values stand in metrics.
enum HTTP2Excess: String, CaseIterable {
    /// PING, SETTINGS and PRIORITY.
    case controlFrames = "control_frames"
    case continuations
    case emptyData = "empty_data"
    /// Errors of streams, in all.
    case glitches
    case headerSections = "header_sections"
    case resets
    /// Errors of streams, within half a minute.
    case streamErrors = "stream_errors"
    case streams
    /// Answers to PING and SETTINGS, and resets, that the peer does not read.
    case unreadFrames = "unread_frames"

    /// Nil for an error of another kind.
    init?(_ error: any Error) {
        switch error {
        case is NIOHTTP2Errors.ExcessiveControlFrames: self = .controlFrames
        case is NIOHTTP2Errors.ExcessiveContinuationFrames: self = .continuations
        case is NIOHTTP2Errors.ExcessiveEmptyDataFrames: self = .emptyData
        case is NIOHTTP2Errors.ExcessiveNumberOfGlitches: self = .glitches
        case is NIOHTTP2Errors.ExcessivelyLargeHeaderBlock: self = .headerSections
        case is NIOHTTP2Errors.ExcessiveRSTFrames: self = .resets
        case is NIOHTTP2Errors.ExcessiveStreamErrors: self = .streamErrors
        case is NIOHTTP2Errors.MaxStreamsViolation: self = .streams
        case is NIOHTTP2Errors.ExcessiveOutboundFrameBuffering: self = .unreadFrames
        default: return nil
        }
    }
}
