import Credentials
import HTTPSemantics
import HTTPTypes
import Logging
import NIOCore
import NIOPosix
import WebTransport

/// A server and clients over real sockets on loopback.
enum Loopback {
    static let group = MultiThreadedEventLoopGroup.singleton

    /// Starts a server, gives its URL to `body`, and shuts it down.
    static func withServer(
        on group: any EventLoopGroup = Self.group,
        configure: (inout WebTransportServer.Configuration) -> Void = { _ in },
        handler: @escaping @Sendable (WebTransportSession) async throws -> Void,
        _ body: @Sendable (_ server: WebTransportServer, _ client: Client) async throws -> Void
    ) async throws {
        let identity = try DevelopmentCertificate(hosts: ["localhost", "127.0.0.1"]).makeIdentity()
        var configuration = WebTransportServer.Configuration(
            host: "127.0.0.1",
            port: 0,
            identities: IdentityStore(identity)
        )
        configuration.gracePeriod = .milliseconds(100)
        configure(&configuration)
        let logger = Logger(label: "test")
        let server = try await WebTransportServer.bind(
            configuration: configuration,
            eventLoopGroup: group,
            logger: logger
        )
        var client = Client(
            authority: "127.0.0.1:\(server.localAddress.port!)",
            configuration: .init(
                credentials: try ClientCredentials(verification: .fingerprints([identity.fingerprint]))
            )
        )
        // A net for a machine that is busy with all the other tests.
        client.configuration.connectTimeout = .seconds(60)
        let connecting = client
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run(handler: handler) }
            defer { server.beginGracefulShutdown() }
            try await body(server, connecting)
        }
    }

    struct Client: Sendable {
        let authority: String
        var configuration: WebTransportClient.Configuration

        func withSession<Result: Sendable>(
            _ path: String = "/",
            fields: HTTPFields = [:],
            subprotocols: [String] = [],
            _ body: @Sendable (WebTransportSession) async throws -> Result
        ) async throws -> Result {
            try await WebTransportClient.withSession(
                to: "https://\(self.authority)\(path)",
                configuration: self.configuration,
                fields: fields,
                subprotocols: subprotocols,
                eventLoopGroup: Loopback.group,
                logger: Logger(label: "test.client"),
                body
            )
        }
    }

    /// Echoes streams of both kinds and datagrams until the session ends.
    static let echo: @Sendable (WebTransportSession) async throws -> Void = { session in
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask {
                for await datagram in session.datagrams { try await session.datagrams.send(datagram) }
            }
            group.addTask {
                try await withThrowingDiscardingTaskGroup { streams in
                    for await stream in session.incomingBidirectionalStreams {
                        streams.addTask {
                            for try await chunk in stream.inbound { try await stream.outbound.write(chunk) }
                            stream.outbound.finish()
                        }
                    }
                }
            }
            group.addTask {
                try await withThrowingDiscardingTaskGroup { streams in
                    for await stream in session.incomingUnidirectionalStreams {
                        streams.addTask {
                            let reply = try await session.openUnidirectionalStream()
                            for try await chunk in stream { try await reply.write(chunk) }
                            reply.finish()
                        }
                    }
                }
            }
        }
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

/// A value that one task sets and another one waits for.
struct Handover<Value: Sendable>: Sendable {
    struct NeverSet: Error {}

    private let values = AsyncStream<Value>.makeStream()

    func set(_ value: Value) {
        self.values.continuation.yield(value)
        self.values.continuation.finish()
    }

    var value: Value {
        get async throws {
            for await value in self.values.stream { return value }
            throw NeverSet()
        }
    }
}
