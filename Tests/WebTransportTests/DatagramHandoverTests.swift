import Logging
import NIOCore
import NIOPosix
import QUIC
import Testing

@testable import WebTransport

@Suite("Datagrams for another endpoint")
struct DatagramHandoverTests {
    private static let loopback = NetworkAddress(try! SocketAddress(ipAddress: "127.0.0.1", port: 1))!
    private static let item = DatagramHandover.Item(
        datagram: ByteBuffer(bytes: [0x40, 1]),
        path: NetworkPath(local: Self.loopback, remote: Self.loopback),
        ecn: 0
    )

    /// An endpoint that drops whatever it gets.
    private static func endpoint(on loop: any EventLoop, receiving handover: DatagramHandover) throws -> UDPEndpoint {
        try UDPEndpoint(
            eventLoop: loop,
            core: Endpoint(index: 0, secrets: EndpointSecrets(), server: nil),
            handovers: [handover],
            address: SocketAddress(ipAddress: "127.0.0.1", port: 0),
            sharing: .none,
            logger: Logger(label: "test")
        ) { _, _ in preconditionFailure("no connection begins") }
    }

    @Test("A burst is held within bounds, and taken in one turn of the receiver")
    func bounded() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let handover = DatagramHandover()
        // The loop is busy with this closure: the receiver cannot take anything meanwhile.
        let endpoint = try await loop.submit {
            let endpoint = try Self.endpoint(on: loop, receiving: handover)
            handover.attach(endpoint)
            for _ in 0..<10_000 { handover.offer(Self.item) }
            #expect(handover.takeAll().count == 512)
            for _ in 0..<3 { handover.offer(Self.item) }
            return NIOLoopBound(endpoint, eventLoop: loop)
        }.get()
        try await loop.submit {
            #expect(endpoint.value.core.statistics.dropped == 3)
            #expect(handover.takeAll().isEmpty)
            handover.detach()
        }.get()
    }

    @Test("Without a receiver nothing is held: before it opens, and after it has closed")
    func detached() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        try await loop.submit {
            let handover = DatagramHandover()
            handover.offer(Self.item)
            #expect(handover.takeAll().isEmpty)
            handover.attach(try Self.endpoint(on: loop, receiving: handover))
            handover.offer(Self.item)
            handover.detach()
            handover.offer(Self.item)
            #expect(handover.takeAll().isEmpty)
        }.get()
    }
}
