import NIOCore
import NIOEmbedded
import Testing

@testable import WebSocket

@Suite("Pings of this end (RFC 6455 § 5.5.2)")
struct PendingPingsTests {
    @Test("Whoever learns of a pong, or of the end, may ping again at once")
    func pingAgain() throws {
        let loop = EmbeddedEventLoop()
        let connection = WebSocketConnection(
            role: .server,
            limits: .init(maxMessageSize: 1 << 20, pingInterval: nil, closeTimeout: .seconds(5)),
            compression: nil,
            eventLoop: loop
        )
        connection.begin(on: OpenTunnel())
        let (first, second, third) = (
            loop.makePromise(of: TimeAmount.self), loop.makePromise(of: TimeAmount.self),
            loop.makePromise(of: TimeAmount.self)
        )
        first.futureResult.assumeIsolated().whenSuccess { _ in connection.ping(second) }
        second.futureResult.assumeIsolated().whenFailure { _ in connection.ping(third) }
        connection.ping(first)
        // Masked with zeros, and with the first ping's number.
        connection.received(ByteBuffer(bytes: [0x8a, 0x88, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]))
        #expect(try first.futureResult.wait() == .zero)
        connection.closed()
        #expect(throws: WebSocketError.self) { try second.futureResult.wait() }
        #expect(throws: WebSocketError.self) { try third.futureResult.wait() }
        // What the loop still has to do would keep the connection.
        loop.run()
    }
}
