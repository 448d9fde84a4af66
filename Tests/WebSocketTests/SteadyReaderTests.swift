import NIOCore
import NIOPosix
import Testing

@testable import WebSocket

/// Over real sockets, whose buffers hold more than anything here.
@Suite("Peers that read slowly, but steadily [38]", .timeLimit(.minutes(1)))
struct SteadyReaderTests {
    /// 64 KiB a second, of which the kernel tells in steps of its own, are more than 32 KiB in each interval.
    private static let size = 16 << 10
    private static let pause = Duration.milliseconds(250)
    private static let interval = TimeAmount.seconds(2)

    @Test("A WebSocket that takes some of what waits in each interval goes on", arguments: Transport.allCases)
    func goesOn(transport: Transport) async throws {
        let source: @Sendable (WebSocketSession) async throws -> Void = { session in
            let message = ByteBuffer(repeating: 0, count: 256 << 10)
            while true { try await session.send(binary: message) }
        }
        try await TestServer.run(transport, configure: { $0.pingInterval = Self.interval }, handler: source) { server in
            let raw = try await server.rawSession()
            // One read at a time, of one size. What is taken for a peer that takes nothing is cut off by the second
            // deadline without progress.
            try await raw.channel.setOption(.autoRead, value: false).get()
            try await raw.channel.setOption(.maxMessagesPerRead, value: 1).get()
            try await raw.channel.setOption(
                .recvAllocator,
                value: FixedSizeRecvByteBufferAllocator(capacity: Self.size)
            ).get()
            for _ in 0..<36 {
                raw.channel.read()
                try await Task.sleep(for: Self.pause)
            }
            #expect(raw.channel.isActive)
            try await raw.channel.close().get()
        }
    }
}
