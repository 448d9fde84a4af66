import NIOCore
import NIOHTTP2
import TLS

/// A client's connection of HTTP/2 for one session: it waits for leave to send an extended CONNECT, and ends with the
/// session's stream.
final class HTTP2ClientHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame

    private enum State {
        /// TCP and TLS are being set up.
        case connecting
        /// The server's SETTINGS have not come (RFC 8441 § 3).
        case connected(NIOHTTP2Handler.StreamMultiplexer, isResumed: Bool)
        /// The session's stream is there, or is being made.
        case opened
        case failed
    }

    private let offer: ClientOffer
    private let timeout: TimeAmount
    private let failure: ConnectFailure
    private let promise: EventLoopPromise<WebSocketSession>
    private var state = State.connecting
    private var timer: Scheduled<Void>?

    init(
        offer: ClientOffer,
        timeout: TimeAmount,
        failure: ConnectFailure,
        promise: EventLoopPromise<WebSocketSession>
    ) {
        self.offer = offer
        self.timeout = timeout
        self.failure = failure
        self.promise = promise
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let timeout = self.timeout
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
            self.fail(context, self.failure.timedOut("did not begin a WebSocket session within \(timeout)"))
        }
        self.promise.futureResult.assumeIsolated().whenComplete { _ in
            self.timer?.cancel()
            self.timer = nil
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.fail(context, self.failure.ended)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.fail(context, self.failure.ended)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.fail(context, self.failure.error(for: error))
    }

    /// Without effect on a session that has begun, but that its connection ends.
    private func fail(_ context: ChannelHandlerContext, _ error: any Error) {
        if case .failed = self.state { return }
        self.state = .failed
        self.promise.fail(error)
        context.close(promise: nil)
    }

    // MARK: The way to a stream

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let handshake = event as? TLSHandshakeCompleted, case .connecting = self.state {
            self.begin(context, handshake)
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func begin(_ context: ChannelHandlerContext, _ handshake: TLSHandshakeCompleted) {
        guard handshake.applicationProtocol == "h2" else {
            return self.fail(context, WebSocketError.notSupported("the server does not speak HTTP/2"))
        }
        let http2 = NIOHTTP2Handler(
            mode: .client,
            eventLoop: context.eventLoop,
            connectionConfiguration: HTTP2Limits.client,
            streamConfiguration: HTTP2Limits.stream
        ) { stream in
            // RFC 9113 § 8.4: nothing is pushed to who has disabled it.
            stream.close()
        }
        do {
            try context.pipeline.syncOperations.addHandler(http2, position: .before(self))
            self.state = .connected(try http2.syncMultiplexer(), isResumed: handshake.isResumed)
        } catch {
            self.fail(context, error)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .connected(let multiplexer, let isResumed) = self.state,
            case .settings(.settings(let settings)) = self.unwrapInboundIn(data).payload
        else { return }
        guard settings.contains(where: { $0.parameter == .enableConnectProtocol && $0.value == 1 }) else {
            let error = WebSocketError.notSupported("the server takes no WebSocket over HTTP/2 (RFC 8441)")
            return self.fail(context, error)
        }
        self.state = .opened
        let (offer, promise, channel) = (self.offer, self.promise, context.channel)
        let opened = context.eventLoop.makePromise(of: (any Channel).self)
        multiplexer.createStreamChannel(promise: opened) { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.pipeline.syncOperations.addHandler(
                    HTTP2ClientStreamHandler(offer: offer, isResumed: isResumed, parent: channel, promise: promise)
                )
            }
        }
        opened.futureResult.whenComplete { result in
            switch result {
            case .success(let stream):
                // The session was the only one.
                stream.closeFuture.whenComplete { _ in channel.close(promise: nil) }
            case .failure(let error):
                promise.fail(error)
                channel.close(promise: nil)
            }
        }
    }
}
