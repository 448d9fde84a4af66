import Logging
import NIOCore
import TLS

/// Waits for TLS to agree on a protocol, and makes way for its handlers.
final class ApplicationProtocolHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let core: ServerCore
    private let configure: (ChannelHandlerContext, String?) throws -> Void

    /// - Parameter configure: adds the handlers for the protocol that was agreed on; nil when the client offered none.
    init(core: ServerCore, configure: @escaping (ChannelHandlerContext, String?) throws -> Void) {
        self.core = core
        self.configure = configure
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let handshake as TLSHandshakeCompleted:
            do {
                try self.configure(context, handshake.applicationProtocol)
                context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
            } catch {
                // The pipeline is gone with its channel.
                context.close(promise: nil)
            }
        case is ChannelShouldQuiesceEvent:
            // Nothing was asked for yet.
            context.abort()
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? TLSError, error.code == .handshakeTimedOut { self.core.metrics.timedOut() }
        self.core.logger.debug("connection failed", metadata: [LoggingKeys.error: "\(error)"])
        context.close(promise: nil)
    }
}
