import NIOCore

/// Pings of this end that await their pong, each with its number as the payload.
struct PendingPings {
    /// More are not worth remembering.
    private static let maximum = 64

    private var pings: [(number: UInt64, sent: NIODeadline, promise: EventLoopPromise<TimeAmount>)] = []
    private var lastNumber: UInt64 = 0

    /// The payload of another ping, whose promise is fulfilled with the round trip's time; nil when too many are waiting.
    mutating func add(_ promise: EventLoopPromise<TimeAmount>, at now: NIODeadline) -> ByteBuffer? {
        guard self.pings.count < Self.maximum else { return nil }
        self.lastNumber += 1
        self.pings.append((self.lastNumber, now, promise))
        return ByteBuffer(integer: self.lastNumber)
    }

    /// A pong has come. One that answers no ping of ours is a sign of life and nothing else (RFC 6455 § 5.5.3).
    mutating func isAnswered(by payload: ByteBuffer, at now: NIODeadline) -> Bool {
        guard payload.readableBytes == 8, let number = payload.getInteger(at: payload.readerIndex, as: UInt64.self),
            let index = self.pings.firstIndex(where: { $0.number == number })
        else { return false }
        // A peer may answer the latest ping only, which then answers those before it.
        for ping in self.pings[...index] { ping.promise.succeed(now - ping.sent) }
        self.pings.removeSubrange(...index)
        return true
    }

    mutating func fail() {
        for ping in self.pings { ping.promise.fail(WebSocketError.closed) }
        self.pings = []
    }
}
