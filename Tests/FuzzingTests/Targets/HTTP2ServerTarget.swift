import HTTPSemantics
import HTTPTypes
import Logging
import NIOCore
import NIOEmbedded
import NIOHPACK

@testable import WebSocket

extension FuzzTarget {
    /// A client's bytes on a connection of HTTP/2, behind the preface: frames, requests, and WebSockets in them.
    static let http2Server = FuzzTarget("http2-server") { input in
        // Every frame has nine bytes, so that no input opens more streams than may be open at once.
        let input = UnsafeRawBufferPointer(rebasing: input.prefix(9 * HTTP2Limits.concurrentStreams))
        let whole = try HTTP2Answers(to: input, .whole)
        for cutting in Cutting.inPieces {
            try HTTP2Answers(to: input, cutting).requireConsistency(with: whole, "\(cutting), and whole")
        }
    }
}

/// What the server sent on the streams that the client opened.
private struct HTTP2Answers {
    struct Answer {
        /// But for the date.
        var fields: [String] = []
        var data: [UInt8] = []
        var hasEnded = false
    }

    private var answers: [UInt32: Answer] = [:]
    private var resets: Set<UInt32> = []
    /// GOAWAY with another code than NO_ERROR: what was asked for before it may be unanswered.
    private var hasFailed = false

    private enum FrameType: UInt8 {
        case data, headers, priority, resetStream, settings, pushPromise, ping, goAway, windowUpdate, continuation
    }
    /// RFC 9113 § 3.4, and a SETTINGS frame without settings.
    private static let preface = ByteBuffer(string: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0")
    private static let endStream: UInt8 = 1

    init(to input: UnsafeRawBufferPointer, _ cutting: Cutting) throws {
        let channel = EmbeddedChannel()
        try Self.configure(channel)
        try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 443)).wait()
        for piece in [Self.preface] + cutting.pieces(of: input) where channel.isActive {
            channel.pipeline.fireChannelRead(piece)
            channel.pipeline.fireChannelReadComplete()
            channel.embeddedEventLoop.run()
        }
        var output = ByteBuffer()
        while let part = try channel.readOutbound(as: ByteBuffer.self) { output.writeImmutableBuffer(part) }
        try self.read(&output)
        // Longer than any time-out, of requests, of idle connections, of pings and of closes.
        channel.embeddedEventLoop.advanceTime(by: .hours(1))
        try require(!channel.isActive, "the connection of a peer that falls silent ends")
        // Errors that reached the pipeline's end were the peer's.
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// As `WebSocketServer` does when ALPN has chosen `h2`.
    private static func configure(_ channel: EmbeddedChannel) throws {
        var configuration = WebSocketServerConfiguration(
            listeners: [],
            resources: { _ in .text(.ok, "ok") },
            admission: { $0.path == "/refused" ? .refuse(.notFound, reason: "no") : .accept(subprotocol: "chat") }
        )
        // What waits for an application that never reads must not reach the limit at which the peer is read no more.
        configuration.maxMessageSize = 4096
        let logger = Logger(label: "fuzzing", factory: { _ in SwiftLogNoOpLogHandler() })
        let core = ServerCore(configuration: configuration, logger: logger)
        _ = core.beginRunning()
        try WebSocketServer.addHTTP2(channel.pipeline.syncOperations, core, on: channel.eventLoop)
    }

    private mutating func read(_ output: inout ByteBuffer) throws {
        var decoder = HPACKDecoder(allocator: ByteBufferAllocator())
        // A client may allow any.
        decoder.maxDynamicTableLength = Int(UInt32.max)
        while output.readableBytes > 0 {
            guard
                let high = output.readInteger(as: UInt16.self), let low = output.readInteger(as: UInt8.self),
                let kind = output.readInteger(as: UInt8.self), let flags = output.readInteger(as: UInt8.self),
                let stream = output.readInteger(as: UInt32.self),
                var payload = output.readSlice(length: Int(high) << 8 | Int(low)), let type = FrameType(rawValue: kind)
            else { throw InvariantViolation(description: "what the server sends is frames (RFC 9113 § 4.1)") }
            switch type {
            case .headers:
                try self.answered(stream, decoder.decodeHeaders(from: &payload))
            case .data:
                try require(self.answers[stream]?.hasEnded == false, "data is behind a response, and before its end")
                self.answers[stream]?.data += payload.readableBytesView
            case .resetStream:
                self.resets.insert(stream)
            case .goAway:
                self.hasFailed = self.hasFailed || payload.getInteger(at: payload.readerIndex + 4, as: UInt32.self) != 0
            case .settings, .ping, .windowUpdate:
                continue
            case .priority, .pushPromise, .continuation:
                throw InvariantViolation(description: "the server sends no frame of type \(type)")
            }
            if type == .headers || type == .data, flags & Self.endStream != 0 { self.answers[stream]?.hasEnded = true }
        }
    }

    private mutating func answered(_ stream: UInt32, _ headers: HPACKHeaders) throws {
        try require(self.answers[stream] == nil, "a request has one response")
        try require(headers.first(name: ":status") != nil, "a response has a status (RFC 9113 § 8.3.2)")
        self.answers[stream] = Answer(
            fields: headers.filter { $0.name != "date" }.map { "\($0.name): \($0.value)" }
        )
    }

    /// A stream that has an answer in both has the same one. Frames behind a request may come before its answer or
    /// after it, so that one of the two may be reset, and a tunnel cut short.
    func requireConsistency(with other: HTTP2Answers, _ pair: String) throws {
        // What is an error on a stream that the client has ended is none on one that the server has reset
        // (RFC 9113 § 5.1).
        guard !self.hasFailed, !other.hasFailed else { return }
        for stream in Set(self.answers.keys).union(other.answers.keys) {
            switch (self.answers[stream], other.answers[stream]) {
            case (let mine?, let theirs?):
                try requireEqual(mine.fields, theirs.fields, "the response on stream \(stream) \(pair)")
                let (shorter, longer) =
                    mine.data.count < theirs.data.count ? (mine.data, theirs.data) : (theirs.data, mine.data)
                try require(longer.starts(with: shorter), "the data on stream \(stream) \(pair), as far as it goes")
            case (nil, _):
                try require(self.resets.contains(stream), "a request without a response is reset \(pair)")
            case (_, nil):
                try require(other.resets.contains(stream), "a request without a response is reset \(pair)")
            }
        }
    }
}
