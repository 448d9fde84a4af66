import NIOCore
import NIOHTTP2

/// What a peer may do on a connection of HTTP/2. What exceeds these ends the connection with ENHANCE_YOUR_CALM.
enum HTTP2Limits {
    /// What RFC 9113 § 6.5.2 recommends as the least. A page's requests and its WebSockets share them.
    static let concurrentStreams = 100
    /// As over HTTP/1.1 and HTTP/3, counted as RFC 9113 § 10.5.1 counts. More is answered with 431.
    static let headerListSize = 64 << 10
    /// Beyond this the header section cannot be decoded without keeping it, and the connection ends.
    private static let decodedHeaderListSize = 128 << 10
    /// What every stream may send, by RFC 9113 § 6.9.2: more than any body that is accepted.
    static let initialStreamWindow = 65_535
    /// What a tunnel may send before its user has taken anything: as much as makes a session stop reading.
    static let tunnelWindow = 256 << 10
    /// What all streams together may have under way. It is returned on arrival, so that a session which is not read
    /// does not hold up the others; what may wait is a hundred tunnels' windows.
    private static let connectionWindow = 1 << 20

    static var connection: NIOHTTP2Handler.ConnectionConfiguration {
        var configuration = NIOHTTP2Handler.ConnectionConfiguration()
        configuration.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: Self.concurrentStreams),
            HTTP2Setting(parameter: .maxHeaderListSize, value: Self.decodedHeaderListSize),
            // RFC 8441 § 3.
            HTTP2Setting(parameter: .enableConnectProtocol, value: 1),
        ]
        configuration.targetWindowSize = Self.connectionWindow
        // An empty DATA frame that does not end its stream costs us and says nothing. NIOHTTP2 counts them until the
        // next HEADERS or end of a stream, whatever comes between: a long WebSocket may have some.
        configuration.maximumSequentialEmptyDataFrames = 1_000
        // Answers to PING and SETTINGS, and resets, that a peer which does not read lets pile up.
        configuration.maximumBufferedControlFrames = 1_000
        // As many CONTINUATION frames as the largest header section fills with frames of the least size allowed.
        configuration.maximumSequentialContinuationFrames = Self.decodedHeaderListSize / (16 << 10) + 1
        // Frames for a stream that is gone come from peers that did not know yet, not for ever.
        configuration.maximumConnectionGlitches = 200
        // PING, SETTINGS and PRIORITY: browsers send a handful a minute.
        configuration.controlFrameRateLimit.maximumCount = 200
        configuration.controlFrameRateLimit.windowLength = .seconds(30)
        return configuration
    }

    /// Of a client, whose one stream is its session's.
    static var client: NIOHTTP2Handler.ConnectionConfiguration {
        var configuration = Self.connection
        configuration.initialSettings = [
            HTTP2Setting(parameter: .enablePush, value: 0),
            HTTP2Setting(parameter: .maxHeaderListSize, value: Self.decodedHeaderListSize),
        ]
        return configuration
    }

    static var stream: NIOHTTP2Handler.StreamConfiguration {
        var configuration = NIOHTTP2Handler.StreamConfiguration()
        // Bodies are not read, and tunnels return their credit themselves: as it is used, not as it arrives.
        configuration.targetWindowSize = 0
        configuration.outboundBufferSizeLowWatermark = WebSocketServer.writeBufferWatermark.low
        configuration.outboundBufferSizeHighWatermark = WebSocketServer.writeBufferWatermark.high
        // Rapid reset (CVE-2023-44487). Chromium ends a WebSocket with RST_STREAM, so that a page which opens and
        // closes thirty a second must pass; a thousand requests in half a minute are no work.
        configuration.streamResetFrameRateLimit.maximumCount = 1_000
        configuration.streamResetFrameRateLimit.windowLength = .seconds(30)
        // The same attack by requests that this end has to reset.
        configuration.streamErrorRateLimit.maximumCount = 200
        configuration.streamErrorRateLimit.windowLength = .seconds(30)
        return configuration
    }
}
