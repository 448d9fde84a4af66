import Credentials
import HTTPSemantics
import HTTPTypes
import Logging
import NIOCore
import NIOPosix
import Synchronization
import WebSocket
import WebTransport

@testable import TransportBenchmark

/// A WebTransport server and a WebSocket server on the same port number of the loopback, that echo.
///
/// They and their clients have loops of their own: what other tests do to theirs is not measured here.
enum EchoServers {
    /// - Parameters:
    ///   - falsifying: the first byte of what comes back is changed.
    ///   - swallowing: every so manieth datagram of a session does not come back.
    ///   - resuming: TLS sessions over TCP can be resumed.
    static func run<Result: Sendable>(
        falsifying: Bool = false,
        swallowing: Int? = nil,
        resuming: Bool = true,
        _ body: @Sendable (BenchmarkTarget, any EventLoop) async throws -> Result
    ) async throws -> Result {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        do {
            let result = try await Self.run(
                on: group,
                Echo(isFalsifying: falsifying, swallowed: swallowing),
                tickets: resuming ? SessionTicketKey() : nil,
                body
            )
            try await group.shutdownGracefully()
            return result
        } catch {
            try await group.shutdownGracefully()
            throw error
        }
    }

    private static func run<Result: Sendable>(
        on loops: MultiThreadedEventLoopGroup,
        _ echo: Echo,
        tickets: SessionTicketKey?,
        _ body: @Sendable (BenchmarkTarget, any EventLoop) async throws -> Result
    ) async throws -> Result {
        let identity = try DevelopmentCertificate(hosts: ["127.0.0.1"]).makeIdentity()
        let (webTransport, webSocket) = try await Self.bind(IdentityStore(identity), tickets, on: loops)
        let target = try BenchmarkTarget(
            // A port and an address always make a URL.
            url: SessionURL("https://127.0.0.1:\(webTransport.localAddress.port!)")!,
            credentials: ClientCredentials(verification: .fingerprints([identity.fingerprint]))
        )
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await webTransport.run { try await echo.serve($0) } }
            group.addTask { try await webSocket.run { try await echo.serve($0) } }
            defer {
                webTransport.beginGracefulShutdown()
                webSocket.beginGracefulShutdown()
            }
            return try await body(target, loops.next())
        }
    }

    /// The TCP port is free by choice of the system; the UDP port of the same number nearly always is too.
    private static func bind(
        _ identities: IdentityStore,
        _ tickets: SessionTicketKey?,
        on loops: MultiThreadedEventLoopGroup
    ) async throws -> (WebTransportServer, WebSocketServer) {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        var tcp = WebSocketServerConfiguration(
            listeners: [.init(host: "127.0.0.1", port: 0, tls: .init(identities: identities, tickets: tickets))],
            resources: { _ in .text(.notFound, "not found\n") },
            admission: { _ in .accept() }
        )
        tcp.gracePeriod = .milliseconds(100)
        for attempt in 1...10 {
            let webSocket = try await WebSocketServer.bind(configuration: tcp, eventLoopGroup: loops, logger: logger)
            var udp = WebTransportServer.Configuration(
                host: "127.0.0.1",
                port: webSocket.localAddresses[0].port!,
                identities: identities
            )
            udp.gracePeriod = .milliseconds(100)
            udp.tunnels = webSocket.tunnels(idleTimeout: .seconds(30))
            do {
                let webTransport = try await WebTransportServer.bind(
                    configuration: udp,
                    eventLoopGroup: loops,
                    logger: logger
                )
                return (webTransport, webSocket)
            } catch  where attempt < 10 {
                webSocket.beginGracefulShutdown()
                try await webSocket.run { _ in }
            }
        }
        preconditionFailure("the last attempt returns or throws")
    }

    private struct Echo: Sendable {
        let isFalsifying: Bool
        let swallowed: Int?

        func serve(_ session: WebSocketSession) async throws {
            for await message in session.messages {
                guard case .binary(let bytes) = message else { continue }
                try await session.send(binary: self.changed(bytes))
            }
        }

        func serve(_ session: WebTransportSession) async throws {
            try await withThrowingDiscardingTaskGroup { group in
                group.addTask {
                    var count = 0
                    for await datagram in session.datagrams {
                        count += 1
                        if let swallowed = self.swallowed, count.isMultiple(of: swallowed) { continue }
                        try await session.datagrams.send(self.changed(datagram))
                    }
                }
                group.addTask {
                    await withDiscardingTaskGroup { streams in
                        for await stream in session.incomingBidirectionalStreams {
                            streams.addTask {
                                // A stream that a client gives up is none of the others' business.
                                try? await self.serve(stream)
                            }
                        }
                    }
                }
            }
        }

        private func serve(_ stream: WebTransportBidirectionalStream) async throws {
            for try await bytes in stream.inbound { try await stream.outbound.write(self.changed(bytes)) }
            stream.outbound.finish()
        }

        private func changed(_ bytes: ByteBuffer) -> ByteBuffer {
            guard self.isFalsifying, let first: UInt8 = bytes.getInteger(at: bytes.readerIndex) else { return bytes }
            var changed = bytes
            changed.setInteger(first ^ 0xff, at: changed.readerIndex)
            return changed
        }
    }
}

/// Progress that a test can look at.
final class RecordedProgress: ProgressReporting {
    private let recorded = Mutex<[String]>([])

    var activities: [String] { self.recorded.withLock { $0 } }

    func update(_ activity: String, _ done: Int, of total: Int) {
        self.recorded.withLock { $0.append(activity) }
    }
}
