import NIOCore

/// A session with an echo endpoint, to which messages go at their time, whether earlier ones have come back or not.
protocol PacedPath: Sendable {
    /// Sends the message of a sequence. It waits for the room that the network leaves it, never for an echo.
    /// - Throws: what the transport throws.
    @concurrent func send(_ message: ByteBuffer, of sequence: Int) async throws
}

/// Messages that arrive as bytes of a stream, one behind the other.
struct StreamMessages {
    private let messages: PacedMessages
    private var received = ByteBuffer()

    init(_ messages: PacedMessages) {
        self.messages = messages
    }

    /// Takes what came next on the stream.
    mutating func append(_ bytes: ByteBuffer) {
        self.received.discardReadBytes()
        if self.received.readableBytes == 0 { self.received = bytes } else { self.received.writeImmutableBuffer(bytes) }
    }

    /// The next whole message.
    mutating func next() -> ByteBuffer? {
        self.received.readSlice(length: self.messages.size(of: self.received))
    }
}
