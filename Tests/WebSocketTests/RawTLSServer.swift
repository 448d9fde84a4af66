import Credentials
import NIOCore
import NIOPosix
import TLS

/// A server of TLS that says one thing, and then nothing.
enum RawTLSServer {
    static func run(
        applicationProtocols: [String],
        greeting: [UInt8],
        _ body: (Int, ClientCredentials) async throws -> Void
    ) async throws {
        let identity = try DevelopmentCertificate(hosts: ["127.0.0.1"]).makeIdentity()
        let configuration = TLSServerConfiguration(
            identities: IdentityStore(identity),
            applicationProtocols: applicationProtocols,
            handshakeTimeout: .seconds(60)
        )
        let channel = try await ServerBootstrap(group: TestServer.group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        TLSHandler(server: configuration), Greeter(greeting),
                    ])
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        do {
            try await body(
                channel.localAddress!.port!,
                ClientCredentials(verification: .fingerprints([identity.fingerprint]))
            )
            try await channel.close()
        } catch {
            try await channel.close()
            throw error
        }
    }

    private final class Greeter: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let greeting: [UInt8]

        init(_ greeting: [UInt8]) {
            self.greeting = greeting
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if event is TLSHandshakeCompleted, !self.greeting.isEmpty {
                context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(bytes: self.greeting)), promise: nil)
            }
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
        func errorCaught(context: ChannelHandlerContext, error: any Error) {}
    }
}
