import HTTPSemantics
import NIOCore

/// The tunnel of a WebSocket that has a connection of its own.
final class WebSocketChannelHandler: ChannelDuplexHandler, Tunnel {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = Never
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    private let connection: WebSocketConnection
    /// Set while the handler is in a pipeline.
    private var context: ChannelHandlerContext?
    /// A read that the connection has held back.
    private var owesRead = false
    private let writeProgress = WriteProgress()

    init(_ connection: WebSocketConnection) { self.connection = connection }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.connection.begin(on: self)
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
        self.connection.closed()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The channel is lost; `channelInactive` tells how the session stood.
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent { self.connection.shutDown() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.connection.received(self.unwrapInboundIn(data))
    }

    func read(context: ChannelHandlerContext) {
        if self.connection.wantsBytes {
            context.read()
        } else {
            self.owesRead = true
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.connection.writabilityChanged()
        context.fireChannelWritabilityChanged()
    }

    // MARK: Tunnel

    var isWritable: Bool { self.context?.channel.isWritable ?? false }
    var progress: Int { self.writeProgress.steps }

    func write(_ bytes: ByteBuffer) {
        guard let context = self.context else { return }
        self.writeProgress.write(bytes, on: context.eventLoop) { context.write(self.wrapOutboundOut($0), promise: $1) }
    }

    func flush() { self.context?.flush() }
    func finish() { self.context?.close(mode: .output, promise: nil) }
    func abort() { self.context?.abort() }

    func resumeReading() {
        guard self.owesRead else { return }
        self.owesRead = false
        self.context?.read()
    }
}
