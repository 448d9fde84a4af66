import NIOCore
import TLS

extension ChannelHandlerContext {
    /// Closes the channel without waiting for a peer that has had its time.
    func abort() {
        // Without TLS there is nobody to take the event, and nothing that waits.
        self.triggerUserOutboundEvent(ConnectionAbort(), promise: nil)
        self.close(promise: nil)
    }
}

extension Channel {
    /// Closes the channel, from any thread, without waiting for a peer that has had its time.
    func abort() {
        self.triggerUserOutboundEvent(ConnectionAbort(), promise: nil)
        self.close(promise: nil)
    }
}
