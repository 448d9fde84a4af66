import NIOCore
import NIOPosix
import QUIC
import Testing
import WebTransport

@Suite("The limit of connections [38]", .timeLimit(.minutes(1))) struct ConnectionLimitTests {
    @Test("As many as sessions, and some beside: whoever comes then is refused (RFC 9000 § 20.1), until one has ended")
    func limit() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        try await Loopback.withServer(on: group) {
            $0.maxSessions = 1
            $0.connectionsBesideSessions = 1
        } handler: { session in
            _ = try await session.closed
        } _: { _, client in
            try await RawPeer.withPeer(of: client) { first in
                try await RawPeer.withPeer(of: client) { second in
                    let refused = ConnectionCloseReason.closedByPeer(code: 0x02, isApplication: false, reason: "")
                    for _ in 0..<2 {
                        try await RawPeer.withPeer(of: client) { third in
                            let reason = try await third.perform { $0.closeReason }
                            #expect(reason == refused)
                        }
                    }
                    // They have noticed nothing.
                    for peer in [first, second] {
                        let stream = try await peer.perform { try $0.connect() }
                        try await peer.wait { $0.responses[stream] != nil }
                    }
                }
                // The second one's close is on its way.
                while try await self.isRefused(client) {}
            }
        }
        try await group.shutdownGracefully()
    }

    private func isRefused(_ client: Loopback.Client) async throws -> Bool {
        var isRefused = false
        try await RawPeer.withPeer(of: client) { peer in
            isRefused = try await peer.perform { $0.closeReason != nil }
        }
        return isRefused
    }
}
