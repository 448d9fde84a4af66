import DequeModule
import HTTPSemantics
import HTTPTypes
import Logging
import LoopConcurrency
import NIOCore
import NIOHTTP1
import NIOHTTPTypesHTTP1

/// One connection's HTTP/1.1: answers requests in order, and hands over to a `WebSocketChannelHandler`.
///
/// Answers come at once, so that there is one request at a time. Pipelined requests wait while the channel takes no
/// more responses, and reads wait with them.
final class HTTPServerHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = Never
    typealias OutboundOut = HTTPServerResponsePart

    private enum State {
        case idle
        case receiving(HTTPRequestHead, bodyBytes: Int)
        /// The last response is out, or nothing will be answered any more.
        case closing
        case upgraded
    }

    /// What is answered in its turn.
    private enum Waiting {
        case request(HTTPRequestHead)
        /// The last one, which asks for an answer before it sends its body.
        case expecting(HTTPRequestHead)
        /// Why nothing further is served.
        case refusal(ResourceResponse, to: HTTPRequestHead?)
    }

    private let core: ServerCore
    private let responder: ResourceResponder
    private let isSecure: Bool
    private let encoder: HTTPResponseEncoder
    private let decoder: ByteToMessageHandler<HTTPRequestDecoder>
    private var state = State.idle
    /// Whole requests that wait for the channel to take responses.
    private var waiting = Deque<Waiting>()
    private var owesRead = false
    /// Pieces of responses that the peer has not taken.
    private var waitingPieces = 0
    private var isQuiescing = false
    private var timer: DeadlineTimer?

    init(
        core: ServerCore,
        responder: ResourceResponder? = nil,
        isSecure: Bool,
        encoder: HTTPResponseEncoder,
        decoder: ByteToMessageHandler<HTTPRequestDecoder>
    ) {
        self.core = core
        self.responder = responder ?? core.responder
        self.isSecure = isSecure
        self.encoder = encoder
        self.decoder = decoder
    }

    // MARK: Lifecycle

    func handlerAdded(context: ChannelHandlerContext) {
        self.timer = DeadlineTimer(context.eventLoop) { self.timedOut(context) }
        self.timer?.set(self.core.configuration.requestTimeout)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.timer = nil
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is ChannelShouldQuiesceEvent else { return context.fireUserInboundEventTriggered(event) }
        self.isQuiescing = true
        if case .idle = self.state, self.waiting.isEmpty { self.end(context) }
    }

    private func timedOut(_ context: ChannelHandlerContext) {
        self.core.metrics.timedOut()
        switch self.state {
        case .receiving:
            self.refuse(context, .text(.requestTimeout, "the request took too long\n"), nil)
            // It waits behind responses that the peer does not take.
            if !self.waiting.isEmpty { self.timer?.set(self.core.configuration.closeTimeout) }
        case .idle, .closing, .upgraded:
            context.abort()
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.core.logger.debug("connection failed", metadata: [LoggingKeys.error: "\(error)"])
        switch (self.state, error) {
        case (.idle, HTTPParserError.headerOverflow), (.receiving, HTTPParserError.headerOverflow):
            let message = "the header section is too large\n"
            self.refuse(context, .text(.requestHeaderFieldsTooLarge, message), nil)
        case (.idle, HTTPParserError.invalidEOFState), (.receiving, HTTPParserError.invalidEOFState):
            context.close(promise: nil)
        case (.idle, is HTTPParserError), (.receiving, is HTTPParserError):
            self.refuse(context, .text(.badRequest, "not an HTTP/1.1 request\n"), nil)
        case (.closing, is HTTPParserError):
            break
        default:
            context.close(promise: nil)
        }
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch (self.state, self.unwrapInboundIn(data)) {
        case (.idle, .head(let head)):
            self.state = .receiving(head, bodyBytes: 0)
            do throws(InvalidRequest) {
                try RequestFraming.check(head)
            } catch {
                return self.refuse(context, error.response, head)
            }
            if RequestFraming.announcedLength(head) > HTTPRequest.maximumBody {
                self.refuse(context, HTTPRequest.bodyTooLarge.response, head)
            } else if head.uri.utf8.count > HTTPRequest.maximumTarget {
                self.refuse(context, HTTPRequest.targetTooLong.response, head)
            } else if head.headers.contains(name: "expect") {
                // RFC 9110 § 10.1.1: a final answer instead of 100 makes the client keep its body.
                self.state = .closing
                self.waiting.append(.expecting(head))
                self.answerWaiting(context)
            }
        case (.receiving(let head, let count), .body(let bytes)):
            self.state = .receiving(head, bodyBytes: count + bytes.readableBytes)
            if count + bytes.readableBytes > HTTPRequest.maximumBody {
                self.refuse(context, HTTPRequest.bodyTooLarge.response, head)
            }
        case (.receiving(let head, _), .end):
            self.state = .idle
            self.timer?.set(self.core.configuration.keepAliveTimeout)
            self.waiting.append(.request(head))
            self.answerWaiting(context)
        case (_, _):
            // After the last response nothing is looked at.
            break
        }
    }

    func read(context: ChannelHandlerContext) {
        if self.waiting.isEmpty {
            context.read()
        } else {
            self.owesRead = true
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.answerWaiting(context)
        if self.waiting.isEmpty && self.owesRead {
            self.owesRead = false
            context.read()
        }
        context.fireChannelWritabilityChanged()
    }

    private func answerWaiting(_ context: ChannelHandlerContext) {
        while context.channel.isWritable, let next = self.waiting.popFirst() {
            switch next {
            case .request(let head):
                // The decoder stops at a request for another protocol, whatever comes of it.
                let asksForAnother = head.headers.contains(name: "upgrade") || head.method == .CONNECT
                self.answer(context, head, keepsAlive: head.isKeepAlive && !asksForAnother)
            case .expecting(let head):
                self.answer(context, head, keepsAlive: false)
            case .refusal(let response, let head):
                self.respond(context, response, to: head, keepsAlive: false)
            }
        }
    }

    /// Says why nothing further is served, behind the responses that are owed before (RFC 9112 § 9.3.2).
    private func refuse(_ context: ChannelHandlerContext, _ response: ResourceResponse, _ head: HTTPRequestHead?) {
        self.state = .closing
        self.waiting.append(.refusal(response, to: head))
        self.answerWaiting(context)
    }

    private func answer(_ context: ChannelHandlerContext, _ head: HTTPRequestHead, keepsAlive: Bool) {
        let request: HTTPRequest
        do {
            request = try HTTPRequest(head, isSecure: self.isSecure)
        } catch {
            return self.respond(context, error.response, to: head, keepsAlive: false)
        }
        if OpeningHandshake.isRequested(by: request) && head.version == .http1_1 {
            guard !RequestFraming.announcesBody(head) else {
                // What comes behind it would be taken for frames.
                let response = ResourceResponse.text(.badRequest, "a request for a WebSocket has no body\n")
                return self.respond(context, response, to: head, keepsAlive: false)
            }
            return self.upgrade(context, head, request)
        }
        self.respond(context, self.responder.response(to: request), to: head, keepsAlive: keepsAlive)
    }

    // MARK: Responses

    /// - Parameter head: the request; nil when it has not arrived whole.
    private func respond(
        _ context: ChannelHandlerContext,
        _ response: ResourceResponse,
        to head: HTTPRequestHead?,
        keepsAlive: Bool
    ) {
        let keepsAlive = keepsAlive && !self.isQuiescing
        var fields = response.completeHead.headerFields
        fields.append(contentsOf: self.core.configuration.responseFields)
        if !keepsAlive {
            fields.append(HTTPField(name: .connection, value: "close"))
        } else if head?.version == .http1_0 {
            fields.append(HTTPField(name: .connection, value: "keep-alive"))
        }
        var responseHead = HTTPResponseHead(HTTPResponse(status: response.head.status, headerFields: fields))
        responseHead.version = .http1_1
        context.write(self.wrapOutboundOut(.head(responseHead)), promise: nil)
        if head?.method != .HEAD {
            for piece in response.pieces {
                self.waitingPieces += 1
                let taken = context.eventLoop.makePromise(of: Void.self)
                context.write(self.wrapOutboundOut(.body(.byteBuffer(piece))), promise: taken)
                taken.futureResult.assumeIsolated().whenSuccess { self.peerTookPiece() }
            }
        }
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
        if !keepsAlive { self.end(context) }
    }

    /// A peer that reads is not given up, however slow its link.
    private func peerTookPiece() {
        self.waitingPieces -= 1
        switch self.state {
        case .idle: self.timer?.set(self.core.configuration.keepAliveTimeout)
        case .closing: self.timer?.set(self.closingTime)
        case .receiving, .upgraded: break
        }
    }

    /// Until the peer has taken the last response, it has the time for another piece.
    private var closingTime: TimeAmount {
        let configuration = self.core.configuration
        return self.waitingPieces > 0 ? configuration.keepAliveTimeout : configuration.closeTimeout
    }

    /// Ends our direction, and the connection when the peer follows or takes too long: closing at once could destroy
    /// the response (RFC 9112 § 9.6).
    private func end(_ context: ChannelHandlerContext) {
        self.state = .closing
        self.waiting.removeAll()
        self.timer?.set(self.closingTime)
        // A decoder that has stopped would keep what still comes.
        try? context.pipeline.syncOperations.addHandler(InputDiscarder(), position: .before(self.decoder))
        context.close(mode: .output, promise: nil)
        if self.owesRead {
            self.owesRead = false
            context.read()
        }
    }

    // MARK: WebSocket

    private func upgrade(_ context: ChannelHandlerContext, _ head: HTTPRequestHead, _ request: HTTPRequest) {
        let channel = context.channel
        let decision = self.core.open(request, over: .http1, from: channel.remoteAddress, on: context.eventLoop)
        switch decision {
        case .refused(let response):
            self.respond(context, response, to: head, keepsAlive: false)
        case .accepted(let opening, let offer):
            self.state = .upgraded
            self.timer?.cancel()
            var response = opening.response
            response.headerFields[.upgrade] = "websocket"
            response.headerFields[.connection] = "upgrade"
            response.headerFields[.secWebSocketAccept] = offer.accept
            context.write(self.wrapOutboundOut(.head(HTTPResponseHead(response))), promise: nil)
            context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
            let pipeline = channel.pipeline.syncOperations
            do {
                try pipeline.addHandler(WebSocketChannelHandler(opening.connection), position: .after(self))
            } catch {
                // The pipeline is gone with its channel.
                opening.connection.closed()
                return context.close(promise: nil)
            }
            // The decoder leaves in the loop's next turn, and passes on what it holds.
            pipeline.removeHandler(self.encoder, promise: nil)
            pipeline.removeHandler(self.decoder, promise: nil)
            pipeline.removeHandler(self, promise: nil)
            opening.begin()
        }
    }
}
