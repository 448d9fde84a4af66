import Credentials
import HTTPSemantics
import HTTPTypes
import LoopConcurrency
public import NIOCore
import NIOHTTP1
import NIOPosix
import TLS

/// Opens WebSocket sessions.
public enum WebSocketClient {
    /// Opens a session, runs `body` with it on the connection's event loop, and closes it.
    ///
    /// Every `await` in `body` resumes on the loop, without a thread hop; it must not block. When it returns or throws,
    /// the session is closed, with 1000 in either case, and the call returns when the server has agreed or the
    /// configuration's `closeTimeout` is over.
    /// - Throws: what `connect(to:configuration:eventLoopGroup:)` and `body` throw.
    public static func connect<Result: Sendable>(
        to url: String,
        configuration: WebSocketClientConfiguration = WebSocketClientConfiguration(),
        eventLoopGroup: any EventLoopGroup,
        _ body: @concurrent @Sendable (WebSocketSession) async throws -> Result
    ) async throws -> Result {
        let session = try await Self.connect(to: url, configuration: configuration, eventLoopGroup: eventLoopGroup)
        return try await withTaskCancellationHandler {
            try await withTaskExecutorPreference(EventLoopTaskExecutor(session.eventLoop)) {
                do {
                    let result = try await body(session)
                    session.close()
                    _ = await session.closed
                    return result
                } catch {
                    session.close()
                    _ = await session.closed
                    throw error
                }
            }
        } onCancel: {
            session.close(code: .goingAway)
        }
    }

    /// Opens a session that the caller must close.
    ///
    /// Its methods work on any thread; where each message's latency matters, use the scoped variant, or a task whose
    /// executor is the session's event loop.
    /// - Throws: `WebSocketError`, with the status and body when the server has refused; `CredentialsError` when its
    ///   certificate is not acceptable.
    public static func connect(
        to url: String,
        configuration: WebSocketClientConfiguration = WebSocketClientConfiguration(),
        eventLoopGroup: any EventLoopGroup
    ) async throws -> WebSocketSession {
        let target = try Self.target(url)
        guard target.isSecure || !configuration.usesHTTP2 else {
            throw WebSocketError.notSupported("over HTTP/2 a session needs TLS: write wss://")
        }
        var tls: TLSClientConfiguration?
        if target.isSecure {
            tls = TLSClientConfiguration(
                credentials: try configuration.credentials ?? ClientCredentials(verification: .system),
                serverName: target.host,
                applicationProtocols: [configuration.usesHTTP2 ? "h2" : "http/1.1"],
                handshakeTimeout: configuration.connectTimeout
            )
            tls?.resumption = configuration.resumption.map { .init(store: $0, port: target.port) }
        }
        let (channel, session): (any Channel, EventLoopFuture<WebSocketSession>)
        do {
            let bootstrap = ClientBootstrap(group: eventLoopGroup)
                .connectTimeout(configuration.connectTimeout)
                .channelOption(.writeBufferWaterMark, value: WebSocketServer.writeBufferWatermark)
            // Once for each address that is tried; only the one that connects first is used.
            let configure = { @Sendable [tls] (channel: any Channel) in
                channel.eventLoop.makeCompletedFuture {
                    (channel, try Self.configure(channel, target, configuration, tls))
                }
            }
            // What is no address is a name. An address needs no resolver, which would cost a trip to another thread.
            if let address = try? SocketAddress(ipAddress: target.host, port: target.port) {
                (channel, session) = try await bootstrap.connect(to: address, channelInitializer: configure)
            } else {
                (channel, session) = try await bootstrap.connect(
                    host: target.host,
                    port: target.port,
                    channelInitializer: configure
                )
            }
        } catch ChannelError.ioOnClosedChannel {
            // The time for the whole was over before there was a connection.
            throw ConnectFailure(target: target).error(for: ChannelError.connectTimeout(configuration.connectTimeout))
        } catch {
            throw ConnectFailure(target: target).error(for: error)
        }
        return try await withTaskCancellationHandler {
            do {
                return try await session.get()
            } catch {
                try Task.checkCancellation()
                throw error
            }
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    /// A `ws:` or `wss:` URL (RFC 6455 § 3); `http:` and `https:` are taken for the same.
    static func target(_ url: String) throws(WebSocketError) -> SessionURL {
        do {
            return try SessionURL(validating: url)
        } catch {
            throw WebSocketError(
                code: .invalidURL,
                message: "\(url.debugDescription) is not the URL of a WebSocket: \(error.reason); an example is "
                    + "wss://localhost:4433/echo"
            )
        }
    }

    /// Prepares a channel, and promises the session that will begin on it.
    private static func configure(
        _ channel: any Channel,
        _ target: SessionURL,
        _ configuration: WebSocketClientConfiguration,
        _ tls: TLSClientConfiguration?
    ) throws -> EventLoopFuture<WebSocketSession> {
        let promise = channel.eventLoop.makePromise(of: WebSocketSession.self)
        do {
            let pipeline = channel.pipeline.syncOperations
            if let tls { try pipeline.addHandler(TLSHandler(client: tls)) }
            if configuration.usesHTTP2 {
                try pipeline.addHandler(
                    HTTP2ClientHandler(
                        offer: ClientOffer(to: target, over: .http2, configuration),
                        timeout: configuration.connectTimeout,
                        failure: ConnectFailure(target: target),
                        promise: promise
                    )
                )
            } else {
                try Self.addUpgrade(pipeline, target, configuration, waitsForTLS: tls != nil, promise)
            }
        } catch {
            promise.fail(error)
            throw error
        }
        return promise.futureResult
    }

    private static func addUpgrade(
        _ pipeline: ChannelPipeline.SynchronousOperations,
        _ target: SessionURL,
        _ configuration: WebSocketClientConfiguration,
        waitsForTLS: Bool,
        _ promise: EventLoopPromise<WebSocketSession>
    ) throws {
        let encoder = HTTPRequestEncoder()
        let decoder = ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes))
        let handshake = ClientHandshakeHandler(
            offer: ClientOffer(to: target, over: .http1, configuration),
            timeout: configuration.connectTimeout,
            failure: ConnectFailure(target: target),
            waitsForTLS: waitsForTLS,
            encoder: encoder,
            decoder: decoder,
            promise: promise
        )
        try pipeline.addHandlers([encoder, decoder, handshake])
    }
}
