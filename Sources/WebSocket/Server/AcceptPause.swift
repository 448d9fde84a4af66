import Logging
import LoopConcurrency
import NIOCore

/// Says why a listener accepts nothing, and has it wait: without descriptors it would try again at once, for ever.
///
/// NIO's own `AcceptBackoffHandler` delays reads; but where the first of a turn fails, the listener's last read is still
/// pending, and goes on.
final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private static let time = TimeAmount.seconds(1)

    private let logger: Logger
    private var isPausing = false

    init(_ logger: Logger) { self.logger = logger }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        defer { context.fireErrorCaught(error) }
        guard error is IOError, !self.isPausing else { return }
        self.isPausing = true
        self.logger.warning(
            "a connection cannot be accepted; when descriptors are short, raise the limit of open files (ulimit -n)",
            metadata: [LoggingKeys.error: "\(error)"]
        )
        let options = context.channel.syncOptions
        try? options?.setOption(.autoRead, value: false)
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.time) {
            self.isPausing = false
            // It fails when the listener has been closed meanwhile.
            try? options?.setOption(.autoRead, value: true)
        }
    }
}
