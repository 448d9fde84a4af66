import Logging
import NIOCore
import NIOHTTP2

/// The life of a connection of HTTP/2: it ends when it is idle, when the server shuts down, or when the peer breaks a
/// rule that concerns all its streams.
final class HTTP2ConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTP2Frame
    typealias OutboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    private enum State {
        case open
        /// The first GOAWAY is out. Its answer to this PING shows that the peer has seen it (RFC 9113 § 6.8).
        case announced(HTTP2PingData)
        /// The last stream is known, and the connection ends with it.
        case draining
        case closing
    }

    private let core: ServerCore
    private var state = State.open
    private var streamCount = 0
    /// The latest that the peer has opened.
    private var lastStream = HTTP2StreamID.rootStream
    /// A read that waits for the peer to read.
    private var owesRead = false
    private var context: ChannelHandlerContext?
    private var timer: DeadlineTimer?

    init(core: ServerCore) { self.core = core }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.timer = DeadlineTimer(context.eventLoop) { [unowned self] in self.timedOut() }
        self.timer?.set(self.core.configuration.requestTimeout)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        self.timer?.cancel()
        self.timer = nil
    }

    private func timedOut() {
        self.core.metrics.timedOut()
        switch self.state {
        case .open, .announced, .draining: self.end()
        case .closing: self.context?.abort()
        }
    }

    // MARK: Back pressure

    /// Header sections are under no flow control: a peer that asks and does not read is not read either.
    func read(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            context.read()
        } else {
            self.owesRead = true
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if self.owesRead && context.channel.isWritable {
            self.owesRead = false
            context.read()
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Streams

    /// Tells the connection of its streams.
    struct StreamDelegate: NIOHTTP2StreamDelegate, Sendable {
        private let handler: NIOLoopBound<HTTP2ConnectionHandler>

        init(_ handler: HTTP2ConnectionHandler, _ eventLoop: any EventLoop) {
            self.handler = NIOLoopBound(handler, eventLoop: eventLoop)
        }

        func streamCreated(_ id: HTTP2StreamID, channel: any Channel) { self.handler.value.streamCreated(id) }
        func streamClosed(_ id: HTTP2StreamID, channel: any Channel) { self.handler.value.streamClosed() }
    }

    private func streamCreated(_ id: HTTP2StreamID) {
        self.streamCount += 1
        self.lastStream = max(self.lastStream, id)
        if case .closing = self.state { return }
        self.timer?.cancel()
    }

    private func streamClosed() {
        self.streamCount -= 1
        guard self.streamCount == 0 else { return }
        switch self.state {
        case .open, .announced:
            self.timer?.set(self.core.configuration.keepAliveTimeout)
        case .draining:
            // The stream's last frame has not been flushed yet.
            self.context?.eventLoop.assumeIsolated().execute { self.end() }
        case .closing:
            break
        }
    }

    // MARK: The end

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // Streams have been told before.
        if event is ChannelShouldQuiesceEvent, case .open = self.state { self.announceEnd(context) }
        context.fireUserInboundEventTriggered(event)
    }

    /// The first GOAWAY excludes no stream (RFC 9113 § 6.8): NIOHTTP2 refuses a request that comes all the same with
    /// REFUSED_STREAM, which says that it may be made again (§ 8.7), until the last one is known.
    private func announceEnd(_ context: ChannelHandlerContext) {
        guard self.streamCount > 0 else { return self.end() }
        let data = HTTP2PingData(withInteger: .random(in: .min ... .max))
        self.state = .announced(data)
        self.write(.goAway(lastStreamID: .maxID, errorCode: .noError, opaqueData: nil), context)
        self.write(.ping(data, ack: false), context)
        context.flush()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .ping(let data, ack: true) = self.unwrapInboundIn(data).payload,
            case .announced(let expected) = self.state, data == expected
        else { return }
        guard self.streamCount > 0 else { return self.end() }
        self.state = .draining
        self.write(.goAway(lastStreamID: self.lastStream, errorCode: .noError, opaqueData: nil), context)
        context.flush()
    }

    /// Says which requests were seen, and closes.
    private func end() {
        guard let context = self.context else { return }
        if case .closing = self.state { return }
        self.state = .closing
        self.write(.goAway(lastStreamID: self.lastStream, errorCode: .noError, opaqueData: nil), context)
        context.flush()
        self.timer?.set(self.core.configuration.closeTimeout)
        // Closing at once could destroy what is on its way.
        context.close(mode: .output, promise: nil)
    }

    private func write(_ payload: HTTP2Frame.FramePayload, _ context: ChannelHandlerContext) {
        context.write(self.wrapOutboundOut(HTTP2Frame(streamID: .rootStream, payload: payload)), promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.core.logger.debug("HTTP/2 failed", metadata: [LoggingKeys.error: "\(error)"])
        guard !Self.concernsOneStream(error) else { return }
        if let excess = HTTP2Excess(error) { self.core.metrics.exceeded(excess) }
        // GOAWAY with the reason is out.
        self.state = .closing
        context.close(promise: nil)
    }

    /// NIOHTTP2 reports both kinds of errors here, and has reset the stream when it is one of these.
    private static func concernsOneStream(_ error: any Error) -> Bool {
        switch error {
        // RFC 9113 § 8.1.1: malformed requests.
        case is NIOHTTP2Errors.InvalidPseudoHeaders, is NIOHTTP2Errors.DuplicatePseudoHeader,
            is NIOHTTP2Errors.UnknownPseudoHeader, is NIOHTTP2Errors.UnsupportedPseudoHeader,
            is NIOHTTP2Errors.PseudoHeaderAfterRegularHeader, is NIOHTTP2Errors.MissingPseudoHeader,
            is NIOHTTP2Errors.EmptyPathHeader, is NIOHTTP2Errors.InvalidPseudoHeaderValue,
            is NIOHTTP2Errors.ForbiddenHeaderField, is NIOHTTP2Errors.InvalidHTTP2HeaderFieldName,
            is NIOHTTP2Errors.InvalidHTTP2HeaderFieldValue, is NIOHTTP2Errors.ContentLengthViolated,
            is NIOHTTP2Errors.ContentLengthHeadersMismatch, is NIOHTTP2Errors.ContentLengthHeaderNegative,
            is NIOHTTP2Errors.ContentLengthHeaderMalformedValue:
            true
        // RFC 9113 § 5.1: frames for a stream that does not take them.
        case is NIOHTTP2Errors.StreamError:
            true
        default:
            false
        }
    }
}
