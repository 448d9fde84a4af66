import Logging
import LoopConcurrency
import NIOCore

/// Says why a listener accepts nothing. `AcceptBackoffHandler` before it waits for a second after each failure: a
/// listener without descriptors would else try again at once, for ever.
final class AcceptFailureHandler: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private let logger: Logger

    init(_ logger: Logger) { self.logger = logger }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? IOError {
            self.logger.warning(
                "a connection cannot be accepted; when descriptors are short, raise the limit of open files (ulimit -n)",
                metadata: [LoggingKeys.error: "\(error)"]
            )
        }
        context.fireErrorCaught(error)
    }
}
