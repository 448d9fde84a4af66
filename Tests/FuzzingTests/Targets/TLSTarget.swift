import Credentials
import NIOCore
import NIOEmbedded

@testable import TLS

extension FuzzTarget {
    // A machine that cannot make a key has no use for what follows.
    private static let tlsIdentities = IdentityStore(try! DevelopmentCertificate(hosts: ["localhost"]).makeIdentity())

    /// A client's bytes on the TLS port. GnuTLS reads them; what is ours is what becomes of the channel.
    static let tlsServer = FuzzTarget("tls-server") { input in
        let configuration = TLSServerConfiguration(identities: Self.tlsIdentities, applicationProtocols: ["http/1.1"])
        try Self.checkTLS(input) { try TLSHandler(server: configuration) }
    }

    /// A server's bytes, to a client that has sent its first flight.
    static let tlsClient = FuzzTarget("tls-client") { input in
        let configuration = try TLSClientConfiguration(
            credentials: ClientCredentials(verification: .none),
            serverName: "localhost"
        )
        try Self.checkTLS(input) { try TLSHandler(client: configuration) }
    }

    private static func checkTLS(_ input: UnsafeRawBufferPointer, _ makeHandler: () throws -> TLSHandler) throws {
        for cutting in [.whole] + Cutting.inPieces {
            let channel = EmbeddedChannel()
            let end = TLSEnd()
            try channel.pipeline.syncOperations.addHandlers([try makeHandler(), end])
            try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 443)).wait()
            for piece in cutting.pieces(of: input) where channel.isActive {
                channel.pipeline.fireChannelRead(piece)
                channel.pipeline.fireChannelReadComplete()
                channel.embeddedEventLoop.run()
            }
            try require(end.byteCount == 0, "nothing comes out of TLS before its handshake")
            // Longer than the time-out of the handshake.
            channel.embeddedEventLoop.advanceTime(by: .minutes(1))
            try require(!channel.isActive, "the connection of a peer that falls silent ends")
            try requireEqual(end.errorCount, 1, "the errors of a handshake that fails, and one")
            // Errors that reached the pipeline's end were the peer's.
            _ = try? channel.finish(acceptAlreadyClosed: true)
        }
    }
}

private final class TLSEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private(set) var byteCount = 0
    private(set) var errorCount = 0

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.byteCount += self.unwrapInboundIn(data).readableBytes
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.errorCount += 1
    }
}
