import ApusServer
import Credentials
import HTTPSemantics
import HTTPTypes
import Logging
import NIOCore
import NIOPosix
import TLS
import WebSocket
import WebTransport

/// The whole server on free ports, for the time of a test.
struct TestServer: Sendable {
    static var group: MultiThreadedEventLoopGroup { .singleton }

    let server: ApusServer
    let credentials: ClientCredentials

    static func run(
        configure: (inout ApusServer.Configuration) -> Void = { _ in },
        _ body: (TestServer) async throws -> Void
    ) async throws {
        let identity = try DevelopmentCertificate(hosts: ["localhost", "127.0.0.1"]).makeIdentity()
        let credentials = try ClientCredentials(verification: .fingerprints([identity.fingerprint]))
        try await self.run(IdentityStore(identity), credentials, configure: configure, body)
    }

    static func run(
        _ identities: IdentityStore,
        _ credentials: ClientCredentials,
        configure: (inout ApusServer.Configuration) -> Void = { _ in },
        _ body: (TestServer) async throws -> Void
    ) async throws {
        var configuration = ApusServer.Configuration()
        configuration.host = "127.0.0.1"
        configuration.port = 0
        configuration.httpPort = 0
        configure(&configuration)
        let server = try await ApusServer.bind(
            configuration: configuration,
            identities: identities,
            eventLoopGroup: self.group,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let running = Task { try await server.run() }
        do {
            try await body(TestServer(server: server, credentials: credentials))
            running.cancel()
            _ = await running.result
        } catch {
            running.cancel()
            _ = await running.result
            throw error
        }
    }

    // MARK: Sessions

    func webTransport<Result: Sendable>(
        _ path: String,
        fields: HTTPFields = [:],
        subprotocols: [String] = [],
        credentials: ClientCredentials? = nil,
        _ body: @Sendable (WebTransportSession) async throws -> Result
    ) async throws -> Result {
        var configuration = WebTransportClient.Configuration(credentials: credentials ?? self.credentials)
        configuration.connectTimeout = Self.patience
        return try await WebTransportClient.withSession(
            to: "https://127.0.0.1:\(self.server.port)\(path)",
            configuration: configuration,
            fields: fields,
            subprotocols: subprotocols,
            eventLoopGroup: Self.group,
            logger: Logger(label: "test.client") { _ in SwiftLogNoOpLogHandler() },
            body
        )
    }

    /// A net for a machine that is busy with all the other tests.
    private static let patience = TimeAmount.seconds(60)

    /// The ways to a WebSocket.
    enum Way: CaseIterable {
        case plain
        case tls
    }

    func webSocket<Result: Sendable>(
        _ path: String,
        over way: Way = .tls,
        fields: HTTPFields = [:],
        _ body: @concurrent @Sendable (WebSocketSession) async throws -> Result
    ) async throws -> Result {
        var configuration = WebSocketClientConfiguration(credentials: self.credentials, fields: fields)
        configuration.connectTimeout = Self.patience
        return try await WebSocketClient.connect(
            to: way == .tls
                ? "wss://127.0.0.1:\(self.server.port)\(path)" : "ws://127.0.0.1:\(self.server.httpPort)\(path)",
            configuration: configuration,
            eventLoopGroup: Self.group,
            body
        )
    }

    // MARK: HTTP/1.1

    struct Response: Sendable {
        var status: String
        var fields: [String: String]
        var body: String
    }

    /// One request on a connection of its own; what comes back, to the end.
    func request(_ method: String = "GET", _ path: String, over way: Way) async throws -> Response {
        let (stream, continuation) = AsyncStream<ByteBuffer>.makeStream()
        let credentials = self.credentials
        let channel = try await ClientBootstrap(group: Self.group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if way == .tls {
                        let tls = TLSClientConfiguration(credentials: credentials, serverName: "127.0.0.1")
                        try channel.pipeline.syncOperations.addHandler(TLSHandler(client: tls))
                    }
                    try channel.pipeline.syncOperations.addHandler(Collector(continuation))
                }
            }
            .connect(host: "127.0.0.1", port: way == .tls ? self.server.port : self.server.httpPort).get()
        let text = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        try await channel.writeAndFlush(ByteBuffer(string: text))
        var bytes = ByteBuffer()
        for await chunk in stream { bytes.writeImmutableBuffer(chunk) }
        return try Self.parse(String(buffer: bytes))
    }

    struct Unparsable: Error { var text: String }

    private static func parse(_ text: String) throws -> Response {
        guard let end = text.firstRange(of: "\r\n\r\n") else { throw Unparsable(text: text) }
        let lines = text[..<end.lowerBound].split(separator: "\r\n")
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            fields[parts[0].lowercased()] = parts.count > 1 ? parts[1].trimmingPrefix(" ").description : ""
        }
        let status = lines[0].split(separator: " ").dropFirst().first.map(String.init) ?? ""
        return Response(status: status, fields: fields, body: String(text[end.upperBound...]))
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let continuation: AsyncStream<ByteBuffer>.Continuation

        init(_ continuation: AsyncStream<ByteBuffer>.Continuation) { self.continuation = continuation }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.continuation.yield(self.unwrapInboundIn(data))
        }

        func handlerRemoved(context: ChannelHandlerContext) { self.continuation.finish() }
    }
}

extension WebTransportReceiveStream {
    /// All bytes until the end of the stream.
    func collect() async throws -> ByteBuffer {
        var all = ByteBuffer()
        for try await chunk in self { all.writeImmutableBuffer(chunk) }
        return all
    }
}
