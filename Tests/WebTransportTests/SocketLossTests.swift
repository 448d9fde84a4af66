import Credentials
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import WebTransport

@Suite("A server whose sockets are lost", .timeLimit(.minutes(1)))
struct SocketLossTests {
    @Test("It serves as long as one is left, and then ends with an error instead of waiting for nobody")
    func lastSocket() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let identity = try DevelopmentCertificate(hosts: ["127.0.0.1"]).makeIdentity()
        let server = try await WebTransportServer.bind(
            configuration: .init(host: "127.0.0.1", port: 0, identities: IdentityStore(identity)),
            eventLoopGroup: group,
            logger: Logger(label: "test")
        )
        let running = Task { try await server.run { _ = try? await $0.closed } }
        for endpoint in server.endpoints {
            // As NIO says it, on a read error that it takes for fatal.
            try await endpoint.eventLoop.submit { endpoint.value.socketClosed() }.get()
        }
        await #expect {
            try await running.value
        } throws: { ($0 as? WebTransportError)?.code == .socketLost }
        try await group.shutdownGracefully()
    }
}
