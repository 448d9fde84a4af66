import HTTPSemantics
import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTP1

@testable import WebSocket

extension FuzzTarget {
    /// A server's bytes on the client's side: its answer to the opening handshake, and frames behind it.
    ///
    /// `@accept@` stands for what the client expects in Sec-WebSocket-Accept.
    static let webSocketClient = FuzzTarget("websocket-client") { input in
        let whole = try ClientOutcome(of: input, .whole)
        for cutting in Cutting.inPieces {
            try requireEqual(try ClientOutcome(of: input, cutting), whole, "the outcome \(cutting), and whole")
        }
    }
}

private struct ClientOutcome: Equatable {
    var hasSession = false
    var subprotocol: String?
    var isOpen = false

    private static let offered = ["chat", "superchat"]

    init(of input: UnsafeRawBufferPointer, _ cutting: Cutting) throws {
        let channel = EmbeddedChannel()
        let promise = channel.embeddedEventLoop.makePromise(of: WebSocketSession.self)
        var result: Result<WebSocketSession, any Error>?
        promise.futureResult.assumeIsolated().whenComplete { result = $0 }
        try Self.configure(channel, promise)
        try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 80)).wait()
        let accept = try Self.accept(channel)
        for piece in Self.replacing(input, accept, cutting) where channel.isActive {
            channel.pipeline.fireChannelRead(piece)
            channel.pipeline.fireChannelReadComplete()
            channel.embeddedEventLoop.run()
        }
        self.isOpen = channel.isActive
        // Longer than the time-outs of the handshake and of a close.
        channel.embeddedEventLoop.advanceTime(by: .minutes(1))
        switch result {
        case .success(let session):
            self.hasSession = true
            self.subprotocol = session.subprotocol
            try require(
                session.subprotocol.map(Self.offered.contains) ?? true,
                "a session's subprotocol is one that was offered"
            )
            let text = String(decoding: input, as: UTF8.self)
            try require(text.contains("@accept@"), "no session begins without the right key (RFC 6455 § 4.1)")
        case .failure:
            try require(!channel.isActive, "a handshake that has failed ends its connection")
        case nil:
            throw InvariantViolation(description: "the handshake with a silent server has no end")
        }
        // Errors that reached the pipeline's end were the peer's.
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// As `WebSocketClient` does without TLS.
    private static func configure(_ channel: EmbeddedChannel, _ promise: EventLoopPromise<WebSocketSession>) throws {
        let encoder = HTTPRequestEncoder()
        let decoder = ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes))
        var configuration = WebSocketClientConfiguration(subprotocols: Self.offered)
        configuration.compression = WebSocketCompression()
        let target = try SessionURL(validating: "ws://localhost/")
        let handshake = ClientHandshakeHandler(
            offer: ClientOffer(to: target, over: .http1, configuration),
            timeout: configuration.connectTimeout,
            failure: ConnectFailure(target: target),
            waitsForTLS: false,
            encoder: encoder,
            decoder: decoder,
            promise: promise
        )
        try channel.pipeline.syncOperations.addHandlers([encoder, decoder, handshake])
    }

    /// What answers the key in the request that was sent.
    private static func accept(_ channel: EmbeddedChannel) throws -> String {
        var request = ""
        while let part = try channel.readOutbound(as: ByteBuffer.self) { request += String(buffer: part) }
        let key = request.split(separator: "\r\n").first { $0.lowercased().hasPrefix("sec-websocket-key: ") }
        guard let key else { throw InvariantViolation(description: "a client sends a key") }
        return OpeningHandshake.accept(forKey: String(key.dropFirst("sec-websocket-key: ".count)))
    }

    /// The pieces are those of the input, so that they are the same for every key.
    private static func replacing(
        _ input: UnsafeRawBufferPointer,
        _ accept: String,
        _ cutting: Cutting
    ) -> [ByteBuffer] {
        var output: [UInt8] = []
        var rest = input[...]
        let placeholder = Array("@accept@".utf8)
        while let byte = rest.first {
            if rest.starts(with: placeholder) {
                output += accept.utf8
                rest = rest.dropFirst(placeholder.count)
            } else {
                output.append(byte)
                rest.removeFirst()
            }
        }
        return output.withUnsafeBytes { cutting.pieces(of: $0, seededBy: input) }
    }
}
