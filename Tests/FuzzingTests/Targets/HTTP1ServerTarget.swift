import HTTPSemantics
import HTTPTypes
import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP1

@testable import WebSocket

extension FuzzTarget {
    /// A client's bytes on the HTTP/1.1 side: requests, upgrades, and the frames behind them.
    static let http1Server = FuzzTarget("http1-server") { input in
        let whole = try HTTP1Answers(to: input, .whole)
        for cutting in Cutting.inPieces {
            try requireEqual(try HTTP1Answers(to: input, cutting), whole, "the answers \(cutting), and whole")
        }
    }
}

private struct HTTP1Answers: Equatable {
    /// All that the server sent, but for the dates in it.
    var text: String
    var isOpen: Bool

    private static let malformed = Self.refusal("400 Bad Request", "not an HTTP/1.1 request\n")
    private static let tooLarge =
        Self.refusal("431 Request Header Fields Too Large", "the header section is too large\n")

    private static func refusal(_ status: String, _ body: String) -> String {
        "HTTP/1.1 \(status)\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: \(body.utf8.count)\r\n"
            + "Connection: close\r\n\r\n\(body)"
    }

    init(to input: UnsafeRawBufferPointer, _ cutting: Cutting) throws {
        let channel = EmbeddedChannel()
        try Self.configure(channel)
        try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 80)).wait()
        for piece in cutting.pieces(of: input) where channel.isActive {
            channel.pipeline.fireChannelRead(piece)
            channel.pipeline.fireChannelReadComplete()
            channel.embeddedEventLoop.run()
        }
        var output = ByteBuffer()
        while let part = try channel.readOutbound(as: ByteBuffer.self) { output.writeImmutableBuffer(part) }
        let text = Self.withoutDates(String(decoding: output.readableBytesView, as: Unicode.ASCII.self))
        // No HTTP at all, and too much of it: which of the two shows first depends on the pieces.
        self.text = text.replacing(Self.tooLarge, with: Self.malformed)
        self.isOpen = channel.isActive
        try require(output.readableBytes == 0 || self.text.hasPrefix("HTTP/1.1 "), "an answer is one of HTTP's")
        // Longer than any time-out, of requests, of idle connections, of pings and of closes.
        channel.embeddedEventLoop.advanceTime(by: .hours(1))
        try require(!channel.isActive, "the connection of a peer that falls silent ends")
        // Errors that reached the pipeline's end were the peer's.
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// As `WebSocketServer` does for a listener without TLS.
    private static func configure(_ channel: EmbeddedChannel) throws {
        var configuration = WebSocketServerConfiguration(
            listeners: [],
            resources: { .text(.ok, "\($0.method) \($0.path ?? "")\n") },
            admission: { $0.path == "/refused" ? .refuse(.notFound, reason: "no") : .accept(subprotocol: "chat") }
        )
        // What waits for an application that never reads must not reach the limit at which the peer is read no more.
        configuration.maxMessageSize = 4096
        let logger = Logger(label: "fuzzing", factory: { _ in SwiftLogNoOpLogHandler() })
        let core = ServerCore(configuration: configuration, logger: logger)
        _ = core.beginRunning()
        let encoder = HTTPResponseEncoder()
        var limits = NIOHTTPDecoderLimitConfiguration()
        // Small, so that inputs exceed them.
        limits.maxHeaderFieldSize = 512
        limits.maxHeaderListSize = 1024
        limits.maxHeaderFieldCount = 16
        let decoder = ByteToMessageHandler(
            HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits)
        )
        let handler = HTTPServerHandler(core: core, isSecure: false, encoder: encoder, decoder: decoder)
        try channel.pipeline.syncOperations.addHandlers([encoder, decoder, handler])
    }

    private static func withoutDates(_ text: String) -> String {
        text.split(separator: "\r\n", omittingEmptySubsequences: false)
            .filter { !$0.lowercased().hasPrefix("date: ") }
            .joined(separator: "\r\n")
    }
}
