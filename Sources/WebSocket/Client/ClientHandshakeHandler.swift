import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypesHTTP1
import TLS

/// The client's opening handshake: sends the request, checks the answer, and makes way for a `WebSocketConnection`.
final class ClientHandshakeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    /// Of a refusal's body, what is worth showing.
    private static let maximumBody = 16 << 10

    private enum State {
        /// TCP or TLS is being set up.
        case connecting
        case requested
        /// The head of a 101 has arrived; its end, which is next, still belongs to HTTP.
        case accepted(HTTPResponse)
        case refused(HTTPResponse, body: ByteBuffer)
        /// HTTP's decoder is leaving; what it held, and what follows, belongs to the session.
        case switching([NIOAny])
        case done
    }

    private let offer: ClientOffer
    private let timeout: TimeAmount
    private let failure: ConnectFailure
    private let waitsForTLS: Bool
    private var isResumed = false
    private let encoder: HTTPRequestEncoder
    private let decoder: ByteToMessageHandler<HTTPResponseDecoder>
    private let promise: EventLoopPromise<WebSocketSession>
    private var state = State.connecting
    private var timer: Scheduled<Void>?

    init(
        offer: ClientOffer,
        timeout: TimeAmount,
        failure: ConnectFailure,
        waitsForTLS: Bool,
        encoder: HTTPRequestEncoder,
        decoder: ByteToMessageHandler<HTTPResponseDecoder>,
        promise: EventLoopPromise<WebSocketSession>
    ) {
        self.offer = offer
        self.timeout = timeout
        self.failure = failure
        self.waitsForTLS = waitsForTLS
        self.encoder = encoder
        self.decoder = decoder
        self.promise = promise
    }

    // MARK: Lifecycle

    func handlerAdded(context: ChannelHandlerContext) {
        let timeout = self.timeout
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
            self.fail(context, self.failure.timedOut("did not begin a WebSocket session within \(timeout)"))
        }
        if context.channel.isActive && !self.waitsForTLS { self.sendRequest(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.timer = nil
        // A handler that leaves with the promise open leaves with its channel.
        guard case .done = self.state else {
            self.state = .done
            return self.promise.fail(self.failure.ended)
        }
    }

    func channelActive(context: ChannelHandlerContext) {
        if !self.waitsForTLS { self.sendRequest(context) }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let handshake = event as? TLSHandshakeCompleted {
            self.isResumed = handshake.isResumed
            self.sendRequest(context)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if case .refused(let response, let body) = self.state {
            self.refuse(context, response, body)
        } else {
            self.fail(context, self.failure.ended)
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.fail(context, self.failure.error(for: error))
    }

    private func fail(_ context: ChannelHandlerContext, _ error: any Error) {
        if case .done = self.state { return }
        self.state = .done
        self.promise.fail(error)
        context.close(promise: nil)
    }

    // MARK: The handshake

    private func sendRequest(_ context: ChannelHandlerContext) {
        guard case .connecting = self.state else { return }
        self.state = .requested
        do {
            let head = try HTTPRequestHead(self.offer.request)
            context.write(self.wrapOutboundOut(.head(head)), promise: nil)
            context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
        } catch {
            self.fail(context, error)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .switching(let held) = self.state {
            self.state = .switching(held + [data])
            return
        }
        switch (self.state, self.unwrapInboundIn(data)) {
        case (.requested, .head(let head)):
            do {
                let response = try HTTPResponse(head)
                let isAccepted = self.offer.isAccepted(by: response)
                self.state = isAccepted ? .accepted(response) : .refused(response, body: ByteBuffer())
            } catch {
                self.fail(context, error)
            }
        case (.accepted(let response), .end):
            do {
                try self.begin(context, response)
            } catch {
                self.fail(context, error)
            }
        case (.refused(let response, var body), .body(let bytes)):
            body.writeImmutableBuffer(bytes)
            self.state = .refused(response, body: body)
            if body.readableBytes > Self.maximumBody { self.refuse(context, response, body) }
        case (.refused(let response, let body), .end):
            self.refuse(context, response, body)
        case (_, _):
            // More of an answer that has failed.
            break
        }
    }

    private func refuse(_ context: ChannelHandlerContext, _ response: HTTPResponse, _ body: ByteBuffer) {
        let text = String(decoding: body.readableBytesView.prefix(Self.maximumBody), as: UTF8.self)
        self.fail(context, WebSocketError.refused(response, text))
    }

    private func begin(_ context: ChannelHandlerContext, _ response: HTTPResponse) throws {
        let (connection, session) = try self.offer.session(
            accepting: response,
            from: context.channel.remoteAddress,
            isResumed: self.isResumed,
            on: context.eventLoop
        )
        self.state = .switching([])
        let pipeline = context.pipeline.syncOperations
        pipeline.removeHandler(self.encoder, promise: nil)
        // It leaves in the loop's next turn. Until then it expects every write to be HTTP, and a session whose server
        // has begun to speak may write at once; therefore the session begins afterwards.
        pipeline.removeHandler(self.decoder).assumeIsolated().whenComplete { result in
            guard case .switching(let held) = self.state else { return }
            do {
                try result.get()
                try self.addSession(context, connection, session, held)
            } catch {
                self.fail(context, error)
            }
        }
    }

    private func addSession(
        _ context: ChannelHandlerContext,
        _ connection: WebSocketConnection,
        _ session: WebSocketSession,
        _ held: [NIOAny]
    ) throws {
        let pipeline = context.pipeline.syncOperations
        try pipeline.addHandler(WebSocketChannelHandler(connection), position: .after(self))
        self.state = .done
        self.promise.succeed(session)
        for data in held { context.fireChannelRead(data) }
        pipeline.removeHandler(context: context, promise: nil)
    }
}
