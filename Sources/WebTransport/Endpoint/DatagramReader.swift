import Logging
import NIOCore

/// Feeds datagrams from NIO's channel to the endpoint.
final class DatagramReader: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let endpoint: UDPEndpoint

    init(endpoint: UDPEndpoint) {
        self.endpoint = endpoint
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.endpoint.read(Self.unwrapInboundIn(data))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.endpoint.readCompleted()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.endpoint.socketClosed()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // An ICMP error that the kernel reports on a read says nothing about the socket.
        self.endpoint.logger.debug("UDP read error", metadata: [LoggingKeys.error: "\(error)"])
    }
}
