import Credentials
import Glibc
import HTTP3
import Logging
import NIOCore
import NIOPosix
import Testing
import WebTransport

@Suite("Paths that change, and datagrams from nowhere", .timeLimit(.minutes(1)))
struct PathTests {
    @Test(
        "A session survives NAT rebindings, also when the kernel gives its datagrams to another loop (RFC 9000 § 9.3)",
        arguments: [1, 2]
    )
    func rebinding(loops: Int) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        let identity = try DevelopmentCertificate(hosts: ["127.0.0.1"]).makeIdentity()
        let server = try await WebTransportServer.bind(
            configuration: .init(host: "127.0.0.1", port: 0, identities: IdentityStore(identity)),
            eventLoopGroup: group,
            logger: Logger(label: "test")
        )
        var client = WebTransportClient.Configuration(
            credentials: try ClientCredentials(verification: .fingerprints([identity.fingerprint]))
        )
        // A net for a machine that is busy with all the other tests.
        client.connectTimeout = .seconds(60)
        // A stray flow of two sockets hits the right loop by chance; eight in a row do not.
        let relay = try await Relay.open(to: server.localAddress, ports: 8, on: Loopback.group.next())
        let running = Task { try await server.run(handler: Loopback.echo) }
        try await WebTransportClient.withSession(
            to: "https://127.0.0.1:\(relay.port)/",
            configuration: client,
            eventLoopGroup: Loopback.group
        ) { session in
            for round in 0..<16 {
                let stream = try await session.openBidirectionalStream()
                try await stream.outbound.write(ByteBuffer(integer: round))
                stream.outbound.finish()
                let reply = try await stream.inbound.collect()
                #expect(reply == ByteBuffer(integer: round))
                try await relay.rebind()
            }
        }
        running.cancel()
        try await running.value
        try await relay.close()
        try await group.shutdownGracefully()
    }

    /// What makes a server speak to a stranger: an Initial of a version that nobody knows (RFC 9000 § 6.1).
    private static let unknownVersion: [UInt8] =
        [0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0] + [UInt8](repeating: 0, count: 1200)

    /// An echo session works, and the server took no harm.
    private static func expectEcho(_ client: Loopback.Client) async throws {
        try await client.withSession { session in
            let stream = try await session.openBidirectionalStream()
            try await stream.outbound.write(ByteBuffer(string: "alive"))
            stream.outbound.finish()
            let reply = try await stream.inbound.collect()
            #expect(reply == ByteBuffer(string: "alive"))
        }
    }

    @Test("Garbage of any length, an empty datagram among it, harms nobody")
    func garbage() async throws {
        try await Loopback.withServer(handler: Loopback.echo) { server, client in
            let answers = Handover<ByteBuffer>()
            let channel = try await DatagramBootstrap(group: Loopback.group)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(FirstDatagram(answers))
                    }
                }
                .bind(host: "127.0.0.1", port: 0).get()
            var generator = SystemRandomNumberGenerator()
            for length in [0, 1, 2, 5, 6, 20, 21, 40, 100, 1199, 1200, 1500, 9000] {
                for first in [0x00, 0x40, 0x7f, 0xc0, 0xd0, 0xe0, 0xf0, 0xff] as [UInt8] {
                    var bytes = (0..<length).map { _ in generator.next() as UInt8 }
                    if length > 0 { bytes[0] = first }
                    // A version that we know leads further in.
                    if length > 5, first >= 0xc0 { bytes.replaceSubrange(1..<5, with: [0, 0, 0, 1]) }
                    let envelope = AddressedEnvelope(remoteAddress: server.localAddress, data: ByteBuffer(bytes: bytes))
                    try await channel.writeAndFlush(envelope)
                }
            }
            try await Self.expectEcho(client)
            // The server still answers strangers on this very flow, so it has read what came before.
            let probe = AddressedEnvelope(
                remoteAddress: server.localAddress,
                data: ByteBuffer(bytes: Self.unknownVersion)
            )
            try await channel.writeAndFlush(probe)
            _ = try await answers.value
            try await channel.close()
        }
    }

    /// Sends a UDP datagram whose source port is zero.
    /// - Returns: false when this process may not.
    private static func sendFromPortZero(_ payload: [UInt8], to port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_RAW.rawValue), Int32(IPPROTO_UDP))
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let length = 8 + payload.count
        // Source port, destination port, length, and no checksum (RFC 768).
        let header = [0, 0, UInt8(port >> 8), UInt8(port & 0xff), UInt8(length >> 8), UInt8(length & 0xff), 0, 0]
        let datagram = header + payload
        let address = try? SocketAddress(ipAddress: "127.0.0.1", port: 0)
        let sent = address?.withSockAddr { sendto(descriptor, datagram, datagram.count, 0, $0, socklen_t($1)) }
        return sent == datagram.count
    }

    @Test(
        "A datagram from port 0, to which nobody can answer, does not close the server's socket",
        .enabled(if: geteuid() == 0, "raw sockets need a privilege")
    )
    func portZero() async throws {
        try await Loopback.withServer(handler: Loopback.echo) { server, client in
            let port = server.localAddress.port!
            for payload in [Self.unknownVersion, [], [0x40, 1, 2, 3]] {
                #expect(Self.sendFromPortZero(payload, to: port))
            }
            for _ in 0..<4 { try await Self.expectEcho(client) }
        }
    }

    @Test("What comes back as ICMP \"port unreachable\" does not close the server's socket (RFC 9000 § 14.2.1)")
    func portUnreachable() async throws {
        try await Loopback.withServer(handler: Loopback.echo) { server, client in
            for _ in 0..<20 {
                // Whoever asked for a Version Negotiation packet is gone when it comes.
                let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
                let sent = server.localAddress.withSockAddr { address, length in
                    sendto(descriptor, Self.unknownVersion, Self.unknownVersion.count, 0, address, socklen_t(length))
                }
                close(descriptor)
                #expect(sent == Self.unknownVersion.count)
            }
            for _ in 0..<4 { try await Self.expectEcho(client) }
        }
    }

    @Test("A connection whose last session has ended is closed after a while, without an error (RFC 9114 § 5.3)")
    func reaping() async throws {
        try await Loopback.withServer(handler: Loopback.echo) { _, client in
            try await RawPeer.withPeer(of: client) { peer in
                let session = try await peer.perform { try $0.connect() }
                try await peer.wait { $0.responses[session] != nil }
                try await peer.perform { $0.http3.send(ByteBuffer(), on: session, isFinal: true) }
                try await peer.wait { $0.finished.contains(session) }
                try await peer.perform { #expect($0.closeReason == nil) }
                let code = try await peer.closeCode()
                #expect(code == 0x100)
            }
        }
    }

    private final class FirstDatagram: ChannelInboundHandler {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        private let answer: Handover<ByteBuffer>

        init(_ answer: Handover<ByteBuffer>) { self.answer = answer }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.answer.set(self.unwrapInboundIn(data).data)
        }
    }
}
