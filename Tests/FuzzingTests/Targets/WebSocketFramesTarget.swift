import NIOCore
import NIOWebSocket

@testable import WebSocket

extension FuzzTarget {
    /// Frames of a peer (RFC 6455 § 5), for both ends, with and without permessage-deflate.
    static let webSocketFrames = FuzzTarget("websocket-frames") { input in
        for role in [WebSocketRole.server, .client] {
            for isCompressed in [false, true] {
                let whole = try FrameReading(input, .whole, role, isCompressed: isCompressed)
                for cutting in Cutting.inPieces {
                    let reading = try FrameReading(input, cutting, role, isCompressed: isCompressed)
                    try requireEqual(reading, whole, "\(role)'s events \(cutting), and whole")
                }
                for event in whole.events { try Self.checkWritten(event, role) }
            }
        }
        var validator = UTF8Validator()
        let isUTF8 = Cutting.inPieces[1].pieces(of: input).allSatisfy { validator.append($0.readableBytesView) }
        try requireEqual(
            isUTF8 && validator.isComplete,
            String(validating: input, as: UTF8.self) != nil,
            "whether it is UTF-8 in pieces, and for the standard library"
        )
    }

    /// What arrived once arrives again when it is written.
    private static func checkWritten(_ event: MessageAssembler.Event, _ role: WebSocketRole) throws {
        let encoder = FrameEncoder(role: role == .server ? .client : .server)
        var frame = ByteBuffer()
        switch event {
        case .none: return
        case .message(.text(let text)): encoder.write(text: text, into: &frame)
        case .message(.binary(let payload)): encoder.write(.binary, payload, into: &frame)
        case .ping(let payload): encoder.write(.ping, payload, into: &frame)
        case .pong(let payload): encoder.write(.pong, payload, into: &frame)
        case .close(let code, let reason): encoder.writeClose(code, reason: reason, into: &frame)
        }
        let again = try frame.withUnsafeReadableBytes { try FrameReading($0, .whole, role, isCompressed: false) }
        try requireEqual(again.events, [event], "an event written and read, and itself")
    }
}

/// What one end makes of frames.
private struct FrameReading: Equatable {
    var events: [MessageAssembler.Event] = []
    var violation: WebSocketCloseCode?

    private static let maximumSize = 1024

    init(_ input: UnsafeRawBufferPointer, _ cutting: Cutting, _ role: WebSocketRole, isCompressed: Bool) throws {
        let frameSize = MessageAssembler.maximumFrameSize(forMessagesOf: Self.maximumSize, isCompressed: isCompressed)
        var parser = FrameParser(maximumSize: frameSize)
        var assembler = MessageAssembler(
            role: role,
            maximumSize: Self.maximumSize,
            inflater: isCompressed ? PermessageDeflate().makeInflater(role) : nil
        )
        var unread = ByteBuffer()
        var kept = 0
        do throws(WebSocketViolation) {
            for piece in cutting.pieces(of: input) {
                unread.writeImmutableBuffer(piece)
                while let frame = try parser.parse(&unread) {
                    let event = try assembler.receive(frame)
                    if event != .none { self.events.append(event) }
                    // Nothing behind it is looked at.
                    if case .close = event { return }
                }
                kept = max(kept, unread.readableBytes)
            }
        } catch {
            // Too large, or not what it says it is: which of the two shows first depends on the pieces.
            self.violation = error.code == .messageTooLarge ? .invalidPayload : error.code
        }
        try require(
            kept <= FrameEncoder.maximumHeaderSize + 125,
            "only a header, or a control frame, waits to be whole"
        )
        for case .message(let message) in self.events {
            try require(message.byteCount <= Self.maximumSize, "no message is larger than the largest")
        }
    }
}
