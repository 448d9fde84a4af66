import NIOCore

/// Drops what a peer sends behind the last response: it must be read, lest closing destroys the response (RFC 9112
/// § 9.6), and is for nobody.
final class InputDiscarder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
}
