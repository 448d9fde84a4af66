public import Credentials
import HTTPSemantics
public import HTTPTypes
public import Logging
import LoopConcurrency
public import NIOCore
import NIOPosix
import QUIC
import WebTransportCore

/// A WebTransport client (draft-ietf-webtrans-http3). Each session has a QUIC connection of its own, as in
/// browsers, unless sharing is turned on.
///
/// `withSession` is for one session; `bind` makes a client whose sessions share one UDP socket, and connections too
/// where `TransportOptions.maxSessionsPerConnection` and the server allow it.
public final class WebTransportClient: Sendable {
    /// How a client behaves.
    public struct Configuration: Sendable {
        /// How the server's certificate is checked.
        public var credentials: ClientCredentials
        /// How QUIC connections behave.
        public var transport = TransportOptions()
        /// Remembers servers, so that later connections to them are shorter; nil makes each the first. A client keeps
        /// it, and may share it with others.
        public var resumption: ResumptionStore?
        /// Time for handshake and answer together.
        public var connectTimeout = TimeAmount.seconds(10)

        /// Begins with the defaults; other properties are set afterwards.
        public init(credentials: ClientCredentials) {
            self.credentials = credentials
        }
    }

    let endpoint: NIOLoopBound<UDPEndpoint>
    private let configuration: Configuration
    private let isIPv6: Bool

    /// Opens a UDP socket for connections to addresses of one family.
    public static func bind(
        configuration: Configuration,
        eventLoop: any EventLoop,
        isIPv6: Bool = true,
        logger: Logger
    ) async throws -> WebTransportClient {
        // An IPv6 socket reaches IPv4 addresses in their mapped form too.
        let address = try SocketAddress(ipAddress: isIPv6 ? "::" : "0.0.0.0", port: 0)
        let endpoint = try await eventLoop.flatSubmit {
            eventLoop.makeCompletedFuture {
                let endpoint = try UDPEndpoint(
                    eventLoop: eventLoop,
                    core: Endpoint(index: UInt8.random(in: .min ... .max), secrets: EndpointSecrets(), server: nil),
                    address: address,
                    sharing: .none,
                    logger: logger
                ) { quic, _ in preconditionFailure("a client accepts no connection: \(quic)") }
                return NIOLoopBound(endpoint, eventLoop: eventLoop)
            }.flatMap { endpoint in endpoint.value.open().map { @Sendable _ in endpoint } }
        }.get()
        return WebTransportClient(endpoint: endpoint, configuration: configuration, isIPv6: isIPv6)
    }

    private init(endpoint: NIOLoopBound<UDPEndpoint>, configuration: Configuration, isIPv6: Bool) {
        self.endpoint = endpoint
        self.configuration = configuration
        self.isIPv6 = isIPv6
    }

    /// Opens a session, runs `body` with it on the connection's event loop, and closes it and the socket when that
    /// returns or throws.
    ///
    /// Every `await` in `body` resumes on the loop, without a thread hop; it must not block.
    /// - Parameters:
    ///   - url: `https://host[:port]/path[?query]`.
    ///   - fields: further request header fields, such as `Origin`.
    ///   - subprotocols: application protocols to offer (WT-Available-Protocols).
    /// - Throws: `WebTransportError` that says why there is no session, or what `body` throws.
    public static func withSession<Result: Sendable>(
        to url: String,
        configuration: Configuration,
        fields: HTTPFields = [:],
        subprotocols: [String] = [],
        eventLoopGroup: any EventLoopGroup,
        logger: Logger = Logger(label: "apus.client"),
        _ body: @concurrent @Sendable (WebTransportSession) async throws -> Result
    ) async throws -> Result {
        let client = try await Self.bind(
            configuration: configuration,
            eventLoop: eventLoopGroup.next(),
            logger: logger
        )
        do {
            let session = try await client.connect(to: url, fields: fields, subprotocols: subprotocols)
            let result = try await withTaskExecutorPreference(EventLoopTaskExecutor(session.eventLoop)) {
                try await body(session)
            }
            session.close()
            await session.settled(within: Self.settlingTime)
            await client.close()
            return result
        } catch {
            await client.close()
            throw error
        }
    }

    /// Time for the server to answer a close: a few round trips of a slow path.
    private static let settlingTime = TimeAmount.seconds(1)

    /// Opens a session. Close it, or the client, in the end.
    ///
    /// It shares the connection of an open session to the same server when that has room. A session that is still being
    /// opened shares nothing yet.
    public func connect(
        to url: String,
        fields: HTTPFields = [:],
        subprotocols: [String] = []
    ) async throws -> WebTransportSession {
        let target = try Self.target(url)
        let address = try await resolve(target.host, port: target.port)
        var request = HTTPRequest(
            method: .connect,
            scheme: "https",
            authority: target.authority,
            path: target.path,
            headerFields: fields
        )
        if !subprotocols.isEmpty {
            request.headerFields[.webTransportAvailableProtocols] =
                subprotocols.map(ProtocolNames.serialize).joined(separator: ", ")
        }
        do {
            return try await self.openSession(request, to: address, serverName: target.host, shared: true)
        } catch let error as WebTransportError where error.isOfUnprocessedRequest {
            // RFC 9114 § 4.1.1: the server has done nothing with it. Another connection may have room.
            return try await self.openSession(request, to: address, serverName: target.host, shared: false)
        }
    }

    static func target(_ url: String) throws(WebTransportError) -> SessionURL {
        let reason: String
        do {
            let target = try SessionURL(validating: url)
            if target.scheme == "https" { return target }
            reason = "its scheme is not https"
        } catch {
            reason = error.reason
        }
        throw WebTransportError(
            .invalidURL,
            "\(url.debugDescription) is not a WebTransport URL: \(reason); write https://host:port/path"
        )
    }

    /// Opens a connection and waits for what it is for.
    /// - Parameters:
    ///   - isEarly: whether it may be asked for before the handshake.
    ///   - makeRole: makes the connection's role, and what tells whoever waits of a failure.
    func open<Result: Sendable>(
        to address: SocketAddress,
        serverName: String,
        isEarly: Bool,
        _ makeRole:
            @escaping @Sendable (EventLoopPromise<Result>) -> (
                PeerConnection.Role, (WebTransportError) -> Void
            )
    ) async throws -> Result {
        let (endpoint, configuration, isIPv6) = (self.endpoint, self.configuration, self.isIPv6)
        let loop = endpoint.eventLoop
        let promise = loop.makePromise(of: Result.self)
        loop.execute {
            do {
                guard let remote = NetworkAddress(isIPv6 ? try address.mappedToIPv6() : address) else {
                    throw WebTransportError(.invalidURL, "\(address) is not an IP address")
                }
                var client = ClientConfiguration(
                    transport: configuration.transport.quic,
                    credentials: configuration.credentials,
                    serverName: serverName,
                    applicationProtocols: ["h3"]
                )
                client.resumption = configuration.resumption
                client.sendsEarlyData = isEarly && configuration.transport.earlyData
                let (role, fail) = makeRole(promise)
                let connection = try endpoint.value.connect(to: remote, configuration: client) {
                    PeerConnection(quic: $0, endpoint: $1, role: role)
                }
                let bound = NIOLoopBound((fail, connection), eventLoop: loop)
                let timeout = loop.scheduleTask(in: configuration.connectTimeout) {
                    let isConnected = bound.value.1.isConnected
                    bound.value.0(.timedOut(address, after: configuration.connectTimeout, isConnected: isConnected))
                    bound.value.1.close()
                }
                promise.futureResult.whenComplete { result in
                    timeout.cancel()
                    if case .failure = result { bound.value.1.close() }
                }
            } catch {
                promise.fail(error)
            }
        }
        return try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            promise.fail(CancellationError())
        }
    }

    /// Opens a session, on a connection that there is when it may be shared.
    private func openSession(
        _ request: HTTPRequest,
        to address: SocketAddress,
        serverName: String,
        shared isShared: Bool
    ) async throws -> WebTransportSession {
        let (endpoint, configuration, isIPv6) = (self.endpoint, self.configuration, self.isIPv6)
        let loop = endpoint.eventLoop
        let promise = loop.makePromise(of: WebTransportSession.self)
        loop.execute {
            do {
                guard let remote = NetworkAddress(isIPv6 ? try address.mappedToIPv6() : address) else {
                    throw WebTransportError(.invalidURL, "\(address) is not an IP address")
                }
                let server = ClientRequests.ServerName(address: remote, name: serverName)
                let request = ClientRequest(head: request, promise: promise)
                let shared = isShared ? endpoint.value.allConnections.first { $0.takesSession(with: server) } : nil
                let connection = try shared ?? Self.dial(server, for: request, on: endpoint.value, configuration)
                shared?.open(request)
                let bound = NIOLoopBound((request, connection), eventLoop: loop)
                let timeout = loop.scheduleTask(in: configuration.connectTimeout) {
                    let isConnected = bound.value.1.isConnected
                    bound.value.0.fail(
                        .timedOut(address, after: configuration.connectTimeout, isConnected: isConnected)
                    )
                }
                promise.futureResult.whenComplete { result in
                    timeout.cancel()
                    if case .failure = result { bound.value.1.cancel(bound.value.0) }
                }
            } catch {
                promise.fail(error)
            }
        }
        return try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            promise.fail(CancellationError())
        }
    }

    private static func dial(
        _ server: ClientRequests.ServerName,
        for request: ClientRequest,
        on endpoint: UDPEndpoint,
        _ configuration: Configuration
    ) throws -> PeerConnection {
        var client = ClientConfiguration(
            transport: configuration.transport.quic,
            credentials: configuration.credentials,
            serverName: server.name,
            applicationProtocols: ["h3"]
        )
        client.resumption = configuration.resumption
        let requests = ClientRequests(to: server, offering: configuration.transport.offer, first: request)
        return try endpoint.connect(to: server.address, configuration: client) {
            PeerConnection(quic: $0, endpoint: $1, role: .client(requests))
        }
    }

    /// QUIC connections that the client keeps.
    var connectionCount: Int {
        get async throws {
            let endpoint = self.endpoint
            return try await endpoint.eventLoop.submit { endpoint.value.connectionCount }.get()
        }
    }

    /// Closes all sessions and the socket.
    public func close() async {
        let endpoint = self.endpoint
        // A socket that is closed already is what we want.
        try? await endpoint.eventLoop.flatSubmit { endpoint.value.close() }.get()
    }
}

extension WebTransportError {
    fileprivate static func timedOut(_ address: SocketAddress, after time: TimeAmount, isConnected: Bool) -> Self {
        let time = "within \(time.nanoseconds / 1_000_000_000) s"
        return Self(
            .timedOut,
            isConnected
                ? "\(address) has not answered the request \(time), though there is a connection"
                : "no answer \(time): nothing comes from \(address) over UDP; check that a server of QUIC runs there, that the port is not its plain one, and that no firewall blocks UDP"
        )
    }
}

extension SocketAddress {
    /// `::ffff:a.b.c.d` for an IPv4 address (RFC 4291 § 2.5.5.2), for use on a dual-stack socket.
    fileprivate func mappedToIPv6() throws -> SocketAddress {
        guard self.protocol == .inet, let ip = self.ipAddress, let port = self.port else { return self }
        return try SocketAddress(ipAddress: "::ffff:\(ip)", port: port)
    }
}
