import HTTPSemantics
import LoopConcurrency
import NIOCore
import NIOHTTP2

/// A tunnel in the DATA frames of a stream: END_STREAM is TCP's FIN, RST_STREAM with CANCEL its reset (RFC 8441 § 5).
///
/// What arrives is taken from NIOHTTP2 at once, which would keep it frame by frame, and the stream's credit is returned
/// as the user takes bytes.
final class HTTP2Tunnel: ChannelInboundHandler, Tunnel {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    /// Credit is worth a frame when it is this much of the window.
    private static let creditStep = HTTP2Limits.tunnelWindow / 4

    private let user: any TunnelUser
    /// What the user does not want yet: as much as flow control allows.
    private var inbox = ByteQueue()
    /// Bytes that the user has taken, and the peer does not know of.
    private var credit = HTTP2Limits.tunnelWindow - HTTP2Limits.initialStreamWindow
    private var isDelivering = false
    /// Frames may follow that the connection has seen, which may end the stream: nothing is to be written on it now.
    private var isReading = true
    private var isReceived: Bool
    private var hasToldEnd = false
    private var isFinished = false
    private let writeProgress = WriteProgress()
    /// Set while the handler is in a pipeline.
    private var context: ChannelHandlerContext?

    /// - Parameter isReceived: the peer has ended its direction with the request.
    init(user: any TunnelUser, isReceived: Bool) {
        self.user = user
        self.isReceived = isReceived
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        // The request or its answer, which makes the tunnel, is being read.
        self.user.begin(on: self)
        self.deliver()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.end()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.end()
        context.fireChannelInactive()
    }

    private func end() {
        guard self.context != nil else { return }
        self.context = nil
        self.user.closed()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Of this stream. A reset ends the channel by itself.
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent { self.user.shutDown() }
        context.fireUserInboundEventTriggered(event)
    }

    // MARK: Receiving

    func channelReadComplete(context: ChannelHandlerContext) {
        self.isReading = false
        self.returnCredit()
        context.fireChannelReadComplete()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.isReading = true
        switch self.unwrapInboundIn(data) {
        case .data(let data):
            if case .byteBuffer(let bytes) = data.data { self.inbox.append(bytes) }
            // RFC 9113 § 6.9.1: padding and its length count.
            if let padding = data.paddingBytes { self.credit += padding + 1 }
            self.isReceived = data.endStream
        case .headers(let trailers):
            self.isReceived = trailers.endStream
        case .alternativeService, .goAway, .origin, .ping, .priority, .pushPromise, .rstStream, .settings,
            .windowUpdate:
            // They are the connection's.
            return
        }
        self.deliver()
    }

    func resumeReading() { self.deliver() }

    private func deliver() {
        guard !self.isDelivering else { return }
        self.isDelivering = true
        defer { self.isDelivering = false }
        while self.user.wantsBytes, let bytes = self.inbox.next() {
            self.credit += bytes.readableBytes
            self.user.received(bytes)
        }
        self.returnCredit()
        guard self.isReceived else { return }
        guard self.inbox.isEmpty, !self.hasToldEnd else { return }
        self.hasToldEnd = true
        self.user.peerFinished()
    }

    private func returnCredit() {
        guard !self.isReading, !self.isReceived, self.credit >= Self.creditStep, let context = self.context else {
            return
        }
        context.writeAndFlush(self.wrapOutboundOut(.windowUpdate(windowSizeIncrement: self.credit)), promise: nil)
        self.credit = 0
    }

    // MARK: Sending

    var isWritable: Bool { self.context?.channel.isWritable ?? false }
    var progress: Int { self.writeProgress.steps }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.user.writabilityChanged()
        context.fireChannelWritabilityChanged()
    }

    func write(_ bytes: ByteBuffer) {
        guard !self.isFinished, let context = self.context else { return }
        self.writeProgress.write(bytes, on: context.eventLoop) {
            context.write(self.wrapOutboundOut(.data(.init(data: .byteBuffer($0)))), promise: $1)
        }
    }

    func flush() { self.context?.flush() }

    func finish() {
        guard !self.isFinished, let context = self.context else { return }
        self.isFinished = true
        let end = HTTP2Frame.FramePayload.Data(data: .byteBuffer(ByteBuffer()), endStream: true)
        context.writeAndFlush(self.wrapOutboundOut(.data(end)), promise: nil)
    }

    /// A stream's channel resets its stream when it is closed before both directions have ended.
    func abort() { self.context?.close(promise: nil) }
}
