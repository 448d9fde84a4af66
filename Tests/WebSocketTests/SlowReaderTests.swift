import HTTPSemantics
import HTTPTypes
import Logging
import NIOCore
import NIOEmbedded
import NIOHPACK
import NIOHTTP2
import Testing

@testable import WebSocket

/// On a clock of the tests' own.
@Suite("Peers that read slowly, and those that do not read [38]")
final class SlowReaderTests {
    /// Stands for a socket and its peer: what is written counts as taken when the test says so.
    private final class Link: ChannelOutboundHandler {
        typealias OutboundIn = Any
        private var waiting: [EventLoopPromise<Void>?] = []

        var count: Int { self.waiting.count }

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            context.write(data, promise: nil)
            self.waiting.append(promise)
        }

        /// An embedded channel has no half closure.
        func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
            if mode == .output { promise?.succeed() } else { context.close(mode: mode, promise: promise) }
        }

        func take(_ count: Int) {
            for promise in self.waiting.prefix(count) { promise?.succeed() }
            self.waiting.removeFirst(min(count, self.waiting.count))
        }

        func failAll() {
            for promise in self.waiting { promise?.fail(ChannelError.ioOnClosedChannel) }
            self.waiting.removeAll()
        }
    }

    /// Four pieces.
    private static let body = String(repeating: "x", count: 4 * ResourceResponse.leastProgress)

    private let configuration: WebSocketServerConfiguration
    private let core: ServerCore
    private let channel = EmbeddedChannel()
    private let link = Link()

    private init() throws {
        var configuration = WebSocketServerConfiguration(listeners: [])
        configuration.resources = { _ in .text(.ok, Self.body) }
        self.configuration = configuration
        self.core = ServerCore(
            configuration: configuration,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        _ = self.core.beginRunning()
        try self.channel.pipeline.syncOperations.addHandler(self.link)
    }

    deinit {
        self.link.failAll()
        _ = try? self.channel.finish(acceptAlreadyClosed: true)
    }

    private func beginHTTP1() throws {
        try WebSocketServer.configure(self.channel, .init(host: "127.0.0.1", port: 80), self.core)
        try self.channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 80)).wait()
    }

    private func advance(_ time: TimeAmount) { self.channel.embeddedEventLoop.advanceTime(by: time) }

    private static let get = "GET / HTTP/1.1\r\nHost: a\r\n"

    @Test(
        "HTTP/1.1: whoever takes a piece within the time gets all, and then has the time for what follows",
        arguments: [true, false]
    )
    func slowHTTP1(keepsAlive: Bool) throws {
        let limit = self.configuration.keepAliveTimeout
        try self.beginHTTP1()
        let end = keepsAlive ? "\r\n" : "Connection: close\r\n\r\n"
        try self.channel.writeInbound(ByteBuffer(string: Self.get + end))
        // The head first.
        self.link.take(1)
        for _ in 0..<4 {
            self.advance(limit - .nanoseconds(1))
            #expect(self.channel.isActive)
            self.link.take(1)
        }
        let rest = keepsAlive ? limit : self.configuration.closeTimeout
        self.advance(rest - .nanoseconds(1))
        #expect(self.channel.isActive)
        self.advance(.nanoseconds(1))
        #expect(!self.channel.isActive)
    }

    @Test("HTTP/1.1: whoever takes nothing is given up, also with half a request behind those that wait")
    func deafHTTP1() throws {
        try self.beginHTTP1()
        self.channel.isWritable = false
        let request = Self.get + "\r\n"
        try self.channel.writeInbound(ByteBuffer(string: request + request))
        try self.channel.writeInbound(ByteBuffer(string: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"))
        self.advance(self.configuration.keepAliveTimeout)
        #expect(self.channel.isActive)
        self.advance(self.configuration.closeTimeout)
        #expect(!self.channel.isActive)
    }

    @Test("HTTP/2: whoever takes a piece of a stream within the time gets all, whoever takes none does not")
    func slowHTTP2() throws {
        let limit = self.configuration.keepAliveTimeout
        try self.channel.pipeline.syncOperations.addHandler(HTTP2StreamHandler(core: self.core))
        try self.channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 80)).wait()
        let request: HPACKHeaders = [":method": "GET", ":scheme": "https", ":authority": "a", ":path": "/"]
        try self.channel.writeInbound(HTTP2Frame.FramePayload.headers(.init(headers: request, endStream: true)))
        #expect(self.link.count == 5)
        for _ in 0..<4 {
            self.advance(limit - .nanoseconds(1))
            #expect(self.channel.isActive)
            self.link.take(1)
        }
        self.advance(limit)
        #expect(!self.channel.isActive)
        #expect(self.link.count == 1)
    }

    @Test("A WebSocket whose peer takes nothing of what waits for it ends, whatever it says")
    func deafWebSocket() throws {
        let (connection, tunnel, excesses) = self.beginWebSocket()
        tunnel.isWritable = false
        for _ in 0..<3 {
            self.advance(.seconds(10))
            // A pong that nobody asked for.
            connection.received(ByteBuffer(bytes: [0x8a, 0x80, 0, 0, 0, 0]))
        }
        #expect(!tunnel.isAborted)
        self.advance(.seconds(30))
        #expect(tunnel.isAborted)
        #expect(excesses() == [.unread])
        connection.closed()
    }

    @Test("A WebSocket whose peer takes something now and then goes on, and has to answer when it has taken all")
    func slowWebSocket() throws {
        let (connection, tunnel, excesses) = self.beginWebSocket()
        tunnel.isWritable = false
        for _ in 0..<10 {
            self.advance(.seconds(30))
            tunnel.progress += 1
        }
        #expect(!tunnel.isAborted)
        tunnel.isWritable = true
        self.advance(.seconds(60))
        #expect(tunnel.isAborted)
        #expect(excesses().isEmpty)
        connection.closed()
    }

    private final class SlowTunnel: Tunnel {
        var isWritable = true
        var progress = 0
        var isAborted = false

        func write(_ bytes: ByteBuffer) {}
        func flush() {}
        func finish() {}
        func abort() { self.isAborted = true }
        func resumeReading() {}
    }

    @Test("A WebSocket whose peer takes 32 KiB of a large message now and then goes on", arguments: [1, 2])
    func largeMessage(version: Int) throws {
        let (connection, excesses) = self.makeWebSocket()
        try self.channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 80)).wait()
        let tunnel: any ChannelHandler =
            version == 1 ? WebSocketChannelHandler(connection) : HTTP2Tunnel(user: connection, isReceived: false)
        try self.channel.pipeline.syncOperations.addHandler(tunnel)
        self.channel.isWritable = false
        // Credit, over HTTP/2.
        self.link.take(self.link.count)
        _ = try connection.send(.binary(ByteBuffer(repeating: 0, count: 1 << 20)))
        self.advance(.zero)
        // The frame's header.
        self.link.take(1)
        #expect(self.link.count == 32)
        for _ in 0..<10 {
            self.advance(.seconds(30))
            #expect(self.channel.isActive)
            self.link.take(1)
        }
        self.advance(.seconds(60))
        #expect(!self.channel.isActive)
        #expect(excesses() == [.unread])
    }

    private func beginWebSocket() -> (WebSocketConnection, SlowTunnel, excesses: () -> [WebSocketExcess]) {
        let (connection, excesses) = self.makeWebSocket()
        let tunnel = SlowTunnel()
        connection.begin(on: tunnel)
        return (connection, tunnel, excesses)
    }

    private func makeWebSocket() -> (WebSocketConnection, excesses: () -> [WebSocketExcess]) {
        let connection = WebSocketConnection(
            role: .server,
            limits: .init(maxMessageSize: 1 << 20, pingInterval: .seconds(30), closeTimeout: .seconds(5)),
            compression: nil,
            eventLoop: self.channel.embeddedEventLoop
        )
        final class Box { var excesses: [WebSocketExcess] = [] }
        let box = Box()
        connection.onExcess = { box.excesses.append($0) }
        return (connection, { box.excesses })
    }
}
