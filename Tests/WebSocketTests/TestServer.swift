import Credentials
import HTTPSemantics
import HTTPTypes
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TLS
import Testing

@testable import WebSocket

/// What a loopback test runs over.
enum Transport: CaseIterable {
    case plain
    case tls
}

/// A server on a free port of the loopback for the time of a test.
struct TestServer: Sendable {
    let server: WebSocketServer
    let transport: Transport
    let credentials: ClientCredentials

    static var group: MultiThreadedEventLoopGroup { .singleton }

    var port: Int { self.server.localAddresses[0].port! }  // an IP address has a port

    func url(_ path: String) -> String {
        "\(self.transport == .tls ? "wss" : "ws")://127.0.0.1:\(self.port)\(path)"
    }

    var client: WebSocketClientConfiguration {
        var configuration = WebSocketClientConfiguration(credentials: self.credentials)
        configuration.connectTimeout = .seconds(60)
        configuration.closeTimeout = .seconds(60)
        return configuration
    }

    func connect<Result: Sendable>(
        _ path: String = "/echo",
        _ configure: (inout WebSocketClientConfiguration) -> Void = { _ in },
        _ body: @concurrent @Sendable (WebSocketSession) async throws -> Result
    ) async throws -> Result {
        var configuration = self.client
        configure(&configuration)
        return try await WebSocketClient.connect(
            to: self.url(path),
            configuration: configuration,
            eventLoopGroup: Self.group,
            body
        )
    }

    func raw() async throws -> RawConnection {
        try await RawConnection.connect(
            port: self.port,
            tls: self.transport == .tls
                ? TLSClientConfiguration(credentials: self.credentials, serverName: "127.0.0.1") : nil
        )
    }

    /// A raw connection on which a session has begun.
    func rawSession(_ path: String = "/echo") async throws -> RawConnection {
        let raw = try await self.raw()
        raw.send(RawConnection.upgrade(path))
        let head = try await raw.read(through: "\r\n\r\n")
        try #require(head.hasPrefix("HTTP/1.1 101 "))
        return raw
    }

    /// Sends every message back.
    static let echo: @Sendable (WebSocketSession) async throws -> Void = { session in
        for await message in session.messages { try await session.send(message) }
    }

    static func run<Result: Sendable>(
        _ transport: Transport = .plain,
        group: any EventLoopGroup = TestServer.group,
        configure: (inout WebSocketServerConfiguration) -> Void = { _ in },
        handler: @escaping @Sendable (WebSocketSession) async throws -> Void = echo,
        _ body: (TestServer) async throws -> Result
    ) async throws -> Result {
        let identity = try DevelopmentCertificate().makeIdentity()
        let tls = WebSocketServerConfiguration.Listener.TLS(
            identities: IdentityStore(identity),
            tickets: try SessionTicketKey()
        )
        var configuration = WebSocketServerConfiguration(
            listeners: [.init(host: "127.0.0.1", port: 0, tls: transport == .tls ? tls : nil)],
            resources: { request in
                request.path == "/healthz" ? .text(.ok, "ok") : .text(.notFound, "no such thing\n")
            },
            admission: { request in
                request.path == "/echo" ? .accept() : .refuse(.notFound, reason: "no such session")
            }
        )
        // Machines under a sanitiser are slow; the tests of the time-outs set their own.
        configuration.handshakeTimeout = .seconds(60)
        configuration.requestTimeout = .seconds(60)
        configuration.closeTimeout = .seconds(60)
        configure(&configuration)
        let server = try await WebSocketServer.bind(
            configuration: configuration,
            eventLoopGroup: group,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let test = TestServer(
            server: server,
            transport: transport,
            credentials: try ClientCredentials(verification: .fingerprints([identity.fingerprint]))
        )
        let running = Task { try await server.run(handler: handler) }
        do {
            let result = try await body(test)
            server.beginGracefulShutdown()
            try await running.value
            return result
        } catch {
            running.cancel()
            _ = await running.result
            throw error
        }
    }
}

/// A connection on which a test decides on every byte.
struct RawConnection {
    let channel: any Channel
    private let bytes: BytesReader

    static func connect(port: Int, tls: TLSClientConfiguration? = nil) async throws -> RawConnection {
        let bytes = Inbox()
        let channel = try await ClientBootstrap(group: TestServer.group)
            .connectTimeout(.seconds(60))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(TLSHandler(client: tls)) }
                    try channel.pipeline.syncOperations.addHandler(Collector(bytes))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return RawConnection(channel, bytes)
    }

    /// - Parameter bytes: what a `Collector` in the channel's pipeline collects.
    init(_ channel: any Channel, _ bytes: Inbox) {
        self.channel = channel
        self.bytes = BytesReader(bytes)
    }

    static func upgrade(_ path: String = "/echo", fields: String = "", version: String = "13") -> String {
        "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: \(version)\r\n\(fields)\r\n"
    }

    func send(_ text: String) { self.channel.writeAndFlush(ByteBuffer(string: text), promise: nil) }
    func send(_ bytes: [UInt8]) { self.channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }

    /// Sends a masked frame, with any first byte.
    func sendFrame(_ firstByte: UInt8, _ payload: [UInt8] = []) { self.send(Self.frame(firstByte, payload)) }

    static func frame(_ firstByte: UInt8, _ payload: [UInt8]) -> [UInt8] {
        precondition(payload.count < 126)
        let key: [UInt8] = [1, 2, 3, 4]
        let masked = payload.enumerated().map { $1 ^ key[$0 & 3] }
        return [firstByte, 0x80 | UInt8(payload.count)] + key + masked
    }

    func read(through end: String) async throws -> String {
        String(decoding: try await self.bytes.read(through: Array(end.utf8)), as: UTF8.self)
    }

    func read(_ count: Int) async throws -> [UInt8] { try await self.bytes.read(count) }

    /// Everything until the server ends the connection.
    func readToEnd() async throws -> [UInt8] { await self.bytes.readToEnd() }

    /// The server's next frame, which must be short.
    func readFrame() async throws -> (firstByte: UInt8, payload: [UInt8]) {
        let header = try await self.read(2)
        try #require(header[1] < 126)
        return (header[0], try await self.read(Int(header[1])))
    }

    /// Expects a Close frame and then the end of the connection.
    func expectClose(_ code: WebSocketCloseCode, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let (first, payload) = try await self.readFrame()
        #expect(first == 0x88, sourceLocation: sourceLocation)
        let number = payload.prefix(2).reduce(UInt16(0)) { $0 << 8 | UInt16($1) }
        #expect(number == code.rawValue, sourceLocation: sourceLocation)
        #expect(try await self.readToEnd().isEmpty, sourceLocation: sourceLocation)
    }

    /// Bytes on their way from a channel to a test. A lock hands them over, which ThreadSanitizer sees; the stream only
    /// wakes.
    final class Inbox: Sendable {
        private let bytes = NIOLockedValueBox(ByteBuffer())
        private let wake = AsyncStream<Void>.makeStream()

        var arrivals: AsyncStream<Void> { self.wake.stream }

        func append(_ more: ByteBuffer) {
            self.bytes.withLockedValue { _ = $0.writeImmutableBuffer(more) }
            self.wake.continuation.yield()
        }

        func finish() { self.wake.continuation.finish() }

        func takeAll() -> ByteBuffer {
            self.bytes.withLockedValue { bytes in
                defer { bytes = ByteBuffer() }
                return bytes
            }
        }
    }

    final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let inbox: Inbox

        init(_ inbox: Inbox) { self.inbox = inbox }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { self.inbox.append(self.unwrapInboundIn(data)) }

        func handlerRemoved(context: ChannelHandlerContext) { self.inbox.finish() }
        func errorCaught(context: ChannelHandlerContext, error: any Error) {}
    }

    struct Ended: Error { var received: String }

    private final class BytesReader {
        private let inbox: Inbox
        private var arrivals: AsyncStream<Void>.AsyncIterator
        private var pending = ByteBuffer()

        init(_ inbox: Inbox) {
            self.inbox = inbox
            self.arrivals = inbox.arrivals.makeAsyncIterator()
        }

        private func more() async throws {
            guard await self.arrivals.next(isolation: #isolation) != nil else {
                self.pending.writeImmutableBuffer(self.inbox.takeAll())
                throw Ended(received: String(buffer: self.pending))
            }
            self.pending.writeImmutableBuffer(self.inbox.takeAll())
        }

        func read(_ count: Int) async throws -> [UInt8] {
            while true {
                if let bytes = self.pending.readBytes(length: count) { return bytes }
                try await self.more()
            }
        }

        func read(through end: [UInt8]) async throws -> [UInt8] {
            while true {
                if let range = self.pending.readableBytesView.firstRange(of: end) {
                    return try await self.read(range.upperBound - self.pending.readerIndex)
                }
                try await self.more()
            }
        }

        func readToEnd() async -> [UInt8] {
            while await self.arrivals.next(isolation: #isolation) != nil {
                self.pending.writeImmutableBuffer(self.inbox.takeAll())
            }
            self.pending.writeImmutableBuffer(self.inbox.takeAll())
            return self.pending.readBytes(length: self.pending.readableBytes) ?? []
        }
    }
}
