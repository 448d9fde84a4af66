import HTTPSemantics
import HTTPTypes
import NIOCore
import NIOHPACK
import NIOHTTP2

/// One request of HTTP/2: answered as soon as its header section is there, or turned into a WebSocket.
///
/// Unlike a connection of HTTP/1.1, the next request does not wait behind this one's body: nobody reads it, and whoever
/// has filled the stream's window with one is told to stop (RFC 9113 § 8.1). Not sooner: trailers that cross a reset
/// would end the connection, as NIOHTTP2 takes them for a new stream. So no time runs for slow bodies, but for all of a
/// stream, anew whenever the peer has taken a piece of the response.
final class HTTP2StreamHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    private let core: ServerCore
    /// For a request that does not come, and a response that the peer does not take.
    private var timer: DeadlineTimer?
    private var isAnswered = false
    private var isReceived = false
    /// Whether all of the response has been written.
    private var isSent = false
    /// What has come of the window that the stream began with. None of it is given back.
    private var receivedByteCount = 0

    init(core: ServerCore) { self.core = core }

    func handlerAdded(context: ChannelHandlerContext) {
        self.timer = DeadlineTimer(context.eventLoop) {
            self.core.metrics.timedOut()
            context.close(promise: nil)
        }
        self.timer?.set(self.core.configuration.keepAliveTimeout)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.timer = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Of this stream. A reset is nothing to report, and ends the channel by itself.
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .headers(let headers):
            self.isReceived = headers.endStream
            guard !self.isAnswered else { return }
            self.isAnswered = true
            self.answer(context, headers.headers)
        case .data(let data):
            self.isReceived = data.endStream
            self.receivedByteCount += data.data.readableBytes + (data.paddingBytes.map { $0 + 1 } ?? 0)
            self.stopUnwantedBody(context)
        case .alternativeService, .goAway, .origin, .ping, .priority, .pushPromise, .rstStream, .settings,
            .windowUpdate:
            // None of them asks for anything.
            break
        }
    }

    private func answer(_ context: ChannelHandlerContext, _ headers: HPACKHeaders) {
        do throws(InvalidRequest) {
            let request = try HTTPRequest(headers)
            if request.method == .connect {
                self.connect(context, request)
            } else {
                self.respond(context, self.core.responder.response(to: request))
            }
        } catch {
            self.respond(context, error.response)
        }
    }

    private func respond(_ context: ChannelHandlerContext, _ response: ResourceResponse) {
        var head = response.completeHead
        head.headerFields.append(contentsOf: self.core.configuration.responseFields)
        let pieces = response.pieces
        let headers = HTTP2Frame.FramePayload.Headers(headers: HPACKHeaders(head), endStream: pieces.isEmpty)
        self.write(context, .headers(headers), isLast: pieces.isEmpty)
        for (index, piece) in pieces.enumerated() {
            let isLast = index == pieces.endIndex - 1
            self.write(context, .data(.init(data: .byteBuffer(piece), endStream: isLast)), isLast: isLast)
        }
        context.flush()
    }

    private func write(_ context: ChannelHandlerContext, _ payload: HTTP2Frame.FramePayload, isLast: Bool) {
        let written = context.eventLoop.makePromise(of: Void.self)
        context.write(self.wrapOutboundOut(payload), promise: written)
        written.futureResult.assumeIsolated().whenSuccess {
            self.timer?.set(self.core.configuration.keepAliveTimeout)
            guard isLast else { return }
            self.isSent = true
            self.stopUnwantedBody(context)
        }
    }

    private func stopUnwantedBody(_ context: ChannelHandlerContext) {
        let isFull = self.receivedByteCount >= HTTP2Limits.initialStreamWindow
        guard self.isSent, isFull, !self.isReceived else { return }
        context.writeAndFlush(self.wrapOutboundOut(.rstStream(.noError)), promise: nil)
    }

    // MARK: WebSocket

    private func connect(_ context: ChannelHandlerContext, _ request: HTTPRequest) {
        guard request.extendedConnectProtocol == OpeningHandshake.protocolName else {
            // RFC 8441 § 4 names no status; RFC 9220 § 3 does.
            let name = request.extendedConnectProtocol ?? "none"
            return self.respond(context, .text(.notImplemented, "CONNECT for protocol \(name)\n"))
        }
        let channel = context.channel
        switch self.core.open(request, over: .http2, from: channel.remoteAddress, on: context.eventLoop) {
        case .refused(let response):
            self.respond(context, response)
        case .accepted(let opening, _):
            let headers = HTTP2Frame.FramePayload.Headers(headers: HPACKHeaders(opening.response.stamped))
            context.writeAndFlush(self.wrapOutboundOut(.headers(headers)), promise: nil)
            let pipeline = channel.pipeline.syncOperations
            let tunnel = HTTP2Tunnel(user: opening.connection, isReceived: self.isReceived)
            do {
                try pipeline.addHandler(tunnel, position: .after(self))
            } catch {
                // The pipeline is gone with its channel.
                opening.connection.closed()
                return context.close(promise: nil)
            }
            pipeline.removeHandler(context: context, promise: nil)
            opening.begin()
        }
    }
}
