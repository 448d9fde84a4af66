import LoopConcurrency
import NIOCore
import NIOEmbedded
import Testing

@testable import WebSocket

/// More comes at once than an application is to have waiting for it.
@Suite("Frames that the application does not want yet")
struct WaitingFramesTests {
    private static let count = 20
    private static let size = 64 << 10

    private let loop = NIOAsyncTestingEventLoop()

    /// All messages, and perhaps a Close frame, in one read; then the end of the tunnel.
    private func receiveAll(closing: Bool) async throws -> NIOLoopBound<WebSocketConnection> {
        let loop = self.loop
        return try await loop.executeInContext {
            let connection = WebSocketConnection(
                role: .server,
                limits: .init(maxMessageSize: 1 << 20, pingInterval: .seconds(30), closeTimeout: .seconds(5)),
                compression: nil,
                eventLoop: loop
            )
            connection.begin(on: OpenTunnel())
            var bytes = ByteBuffer()
            for number in 0..<Self.count {
                // Masked with zeros.
                bytes.writeBytes([0x82, 0xff])
                bytes.writeInteger(UInt64(Self.size))
                bytes.writeRepeatingByte(0, count: 4)
                bytes.writeRepeatingByte(UInt8(number), count: Self.size)
            }
            if closing { bytes.writeBytes([0x88, 0x85, 0, 0, 0, 0, 0x03, 0xe8] + Array("bye".utf8)) }
            connection.received(bytes)
            #expect(!connection.wantsBytes)
            connection.peerFinished()
            connection.closed()
            return NIOLoopBound(connection, eventLoop: loop)
        }
    }

    @Test("They wait for it, in order, and so does the end", arguments: [true, false])
    func all(closing: Bool) async throws {
        let connection = try await self.receiveAll(closing: closing)
        let (mailbox, gate, closeSignal) = try await self.loop.executeInContext {
            (connection.value.messages, connection.value.gate, connection.value.closeSignal)
        }
        var messages = WebSocketMessages(mailbox: mailbox, gate: gate, connection: connection).makeAsyncIterator()
        for number in 0..<Self.count {
            let message = await messages.next()
            #expect(message == .binary(ByteBuffer(repeating: UInt8(number), count: Self.size)))
            // What it has told the connection.
            await self.loop.run()
        }
        #expect(await messages.next() == nil)
        let close = await closeSignal.wait()
        #expect(
            close
                == (closing
                    ? .init(code: .normal, reason: "bye", wasClean: true) : .init(code: .abnormal, wasClean: false))
        )
    }

    @Test("An application that closes without having taken them learns of the end at once")
    func abandoned() async throws {
        let connection = try await self.receiveAll(closing: true)
        let closeSignal = try await self.loop.executeInContext {
            connection.value.close(.normal, reason: "")
            return connection.value.closeSignal
        }
        #expect(await closeSignal.wait() == .init(code: .abnormal, wasClean: false))
        await self.loop.run()
    }
}
