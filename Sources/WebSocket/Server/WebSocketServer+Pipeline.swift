import HTTPSemantics
import NIOCore
import NIOHTTP1
import NIOHTTP2
import TLS

// What a connection's pipeline is made of.

extension WebSocketServer {
    /// The names of ALPN (RFC 7301 § 6), best first.
    private static let applicationProtocols = ["h2", "http/1.1"]

    static func configure(
        _ channel: any Channel,
        _ listener: WebSocketServerConfiguration.Listener,
        _ core: ServerCore
    ) throws {
        let pipeline = channel.pipeline.syncOperations
        let responder =
            listener.resources.map { ResourceResponder($0, originPolicy: core.configuration.originPolicy) }
            ?? core.responder
        guard let tls = listener.tls else { return try Self.addHTTP1(pipeline, core, responder, isSecure: false) }
        let configuration = TLSServerConfiguration(
            identities: tls.identities,
            tickets: tls.tickets,
            applicationProtocols: Self.applicationProtocols,
            handshakeTimeout: core.configuration.handshakeTimeout
        )
        let selector = ApplicationProtocolHandler(core: core) { context, name in
            let pipeline = context.pipeline.syncOperations
            // RFC 9113 § 3.2: HTTP/2 only when it was agreed on.
            if name == "h2" {
                try Self.addHTTP2(pipeline, core, on: context.eventLoop)
            } else {
                try Self.addHTTP1(pipeline, core, responder, isSecure: true)
            }
        }
        try pipeline.addHandlers([try TLSHandler(server: configuration), selector])
    }

    private static func addHTTP1(
        _ pipeline: ChannelPipeline.SynchronousOperations,
        _ core: ServerCore,
        _ responder: ResourceResponder,
        isSecure: Bool
    ) throws {
        let encoder = HTTPResponseEncoder()
        var limits = NIOHTTPDecoderLimitConfiguration()
        // Cookies and all, browsers stay below 8 KiB, and so do proxies. Eight fields' worth of that is generous.
        limits.maxHeaderFieldSize = 16 << 10
        limits.maxHeaderListSize = 64 << 10
        limits.maxHeaderFieldCount = 128
        let decoder = ByteToMessageHandler(
            HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits)
        )
        let handler = HTTPServerHandler(
            core: core,
            responder: responder,
            isSecure: isSecure,
            encoder: encoder,
            decoder: decoder
        )
        try pipeline.addHandlers([encoder, decoder, handler])
    }

    static func addHTTP2(
        _ pipeline: ChannelPipeline.SynchronousOperations,
        _ core: ServerCore,
        on eventLoop: any EventLoop
    ) throws {
        let connection = HTTP2ConnectionHandler(core: core)
        let http2 = NIOHTTP2Handler(
            mode: .server,
            eventLoop: eventLoop,
            connectionConfiguration: HTTP2Limits.connection,
            streamConfiguration: HTTP2Limits.stream,
            streamDelegate: HTTP2ConnectionHandler.StreamDelegate(connection, eventLoop)
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.pipeline.syncOperations.addHandler(HTTP2StreamHandler(core: core))
            }
        }
        try pipeline.addHandlers([http2, connection])
    }
}
