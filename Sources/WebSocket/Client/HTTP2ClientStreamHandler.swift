import HTTPTypes
import NIOCore
import NIOHPACK
import NIOHTTP2

/// A client's extended CONNECT on a stream of HTTP/2 (RFC 8441 § 5), until the tunnel is there.
final class HTTP2ClientStreamHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    /// Of a refusal's body, what is worth showing, and worth waiting for.
    private static let maximumBody = 16 << 10
    private static let bodyTime = TimeAmount.seconds(1)

    private enum State {
        case requested
        case refused(HTTPResponse, body: ByteBuffer)
        case done
    }

    private let offer: ClientOffer
    private let isResumed: Bool
    private let parent: any Channel
    private let promise: EventLoopPromise<WebSocketSession>
    private var state = State.requested
    private var bodyTimer: Scheduled<Void>?

    init(offer: ClientOffer, isResumed: Bool, parent: any Channel, promise: EventLoopPromise<WebSocketSession>) {
        self.offer = offer
        self.isResumed = isResumed
        self.parent = parent
        self.promise = promise
    }

    func channelActive(context: ChannelHandlerContext) {
        let headers = HTTP2Frame.FramePayload.Headers(headers: HPACKHeaders(self.offer.request))
        context.writeAndFlush(self.wrapOutboundOut(.headers(headers)), promise: nil)
        context.fireChannelActive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.bodyTimer?.cancel()
        self.bodyTimer = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        switch self.state {
        case .requested: self.fail(context, Self.noAnswer("ended the connection"))
        case .refused(let response, let body): self.refuse(context, response, body)
        case .done: break
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .refused(let response, let body) = self.state { return self.refuse(context, response, body) }
        if let closed = error as? NIOHTTP2Errors.StreamClosed {
            self.fail(context, Self.noAnswer("gave up the request with \(closed.errorCode)"))
        } else {
            // What came breaks a rule of HTTP/2 for a response.
            self.fail(context, Self.noAnswer("did not give a valid answer"))
        }
    }

    private static func noAnswer(_ what: String) -> WebSocketError {
        WebSocketError(code: .refused, message: "the server \(what): there is no WebSocket over HTTP/2")
    }

    private func fail(_ context: ChannelHandlerContext, _ error: any Error) {
        if case .done = self.state { return }
        self.state = .done
        self.promise.fail(error)
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch (self.state, self.unwrapInboundIn(data)) {
        case (.requested, .headers(let headers)):
            self.answered(context, headers)
        case (.refused(let response, var body), .data(let data)):
            if case .byteBuffer(let bytes) = data.data { body.writeImmutableBuffer(bytes) }
            self.state = .refused(response, body: body)
            if data.endStream || body.readableBytes > Self.maximumBody { self.refuse(context, response, body) }
        case (_, _):
            // More of an answer that has failed, or what asks for nothing.
            break
        }
    }

    private func answered(_ context: ChannelHandlerContext, _ headers: HTTP2Frame.FramePayload.Headers) {
        guard let response = HTTPResponse(headers.headers) else {
            return self.fail(context, Self.noAnswer("did not give a valid answer"))
        }
        if response.status.kind == .informational {
            // RFC 9113 § 8.1: the final one is still to come; § 8.6: there is no upgrade.
            if response.status == .switchingProtocols || headers.endStream {
                self.fail(context, Self.noAnswer("did not give a valid answer"))
            }
            return
        }
        guard self.offer.isAccepted(by: response) else {
            self.state = .refused(response, body: ByteBuffer())
            if headers.endStream { return self.refuse(context, response, ByteBuffer()) }
            self.bodyTimer = context.eventLoop.assumeIsolated().scheduleTask(in: Self.bodyTime) {
                if case .refused(let response, let body) = self.state { self.refuse(context, response, body) }
            }
            return
        }
        do {
            let (connection, session) = try self.offer.session(
                accepting: response,
                from: self.parent.remoteAddress,
                isResumed: self.isResumed,
                on: context.eventLoop
            )
            self.state = .done
            let pipeline = context.pipeline.syncOperations
            let tunnel = HTTP2Tunnel(user: connection, isReceived: headers.endStream)
            try pipeline.addHandler(tunnel, position: .after(self))
            pipeline.removeHandler(context: context, promise: nil)
            self.promise.succeed(session)
        } catch {
            self.state = .requested
            self.fail(context, error)
        }
    }

    private func refuse(_ context: ChannelHandlerContext, _ response: HTTPResponse, _ body: ByteBuffer) {
        let text = String(decoding: body.readableBytesView.prefix(Self.maximumBody), as: UTF8.self)
        self.fail(context, WebSocketError.refused(response, text))
    }
}
