import NIOCore
import WebTransport

/// Messages one after the other on one bidirectional stream. Their size tells where each ends.
struct WebTransportStreamPath: EchoPath {
    private let outbound: WebTransportSendStream
    private var inbound: WebTransportReceiveStream.AsyncIterator
    /// What arrived of the next message.
    private var received = ByteBuffer()

    init(_ stream: WebTransportBidirectionalStream) {
        self.outbound = stream.outbound
        self.inbound = stream.inbound.makeAsyncIterator()
    }

    @concurrent mutating func roundTrip(_ message: ByteBuffer) async throws -> Echo {
        let size = message.readableBytes
        try await self.outbound.write(message)
        while self.received.readableBytes < size {
            guard let bytes = try await self.inbound.next() else {
                try Task.checkCancellation()
                throw BenchmarkError.ended("the server finished the stream")
            }
            self.received.writeOrTake(bytes)
        }
        let now = NIODeadline.now()
        guard let echo = self.received.readSlice(length: size) else {
            preconditionFailure("a whole message has arrived")
        }
        // Bytes beyond it would be an echo of nothing; they make the next message differ.
        return .received(echo, at: now)
    }
}

/// A bidirectional stream for each message: opened, written and ended by the client, then ended by the server.
struct WebTransportStreamPerMessagePath: EchoPath {
    private let session: WebTransportSession

    init(_ session: WebTransportSession) {
        self.session = session
    }

    @concurrent mutating func roundTrip(_ message: ByteBuffer) async throws -> Echo {
        let stream = try await self.session.openBidirectionalStream()
        try await stream.outbound.write(message)
        stream.outbound.finish()
        var received = ByteBuffer()
        for try await bytes in stream.inbound { received.writeOrTake(bytes) }
        let now = NIODeadline.now()
        try Task.checkCancellation()
        return .received(received, at: now)
    }
}

extension ByteBuffer {
    /// Appends bytes; an empty buffer takes theirs without a copy.
    fileprivate mutating func writeOrTake(_ bytes: ByteBuffer) {
        if self.readableBytes == 0 { self = bytes } else { self.writeImmutableBuffer(bytes) }
    }
}
