import NIOCore

/// Pings of this end that await their pong, each with its number as the payload.
struct PendingPings {
    /// More are not worth remembering.
    private static let maximum = 64

    struct Ping {
        let number: UInt64
        let sent: NIODeadline
        let promise: EventLoopPromise<TimeAmount>
    }

    private var pings: [Ping] = []
    private var lastNumber: UInt64 = 0

    /// The payload of another ping, whose promise is fulfilled with the round trip's time; nil when too many are waiting.
    mutating func add(_ promise: EventLoopPromise<TimeAmount>, at now: NIODeadline) -> ByteBuffer? {
        guard self.pings.count < Self.maximum else { return nil }
        self.lastNumber += 1
        self.pings.append(Ping(number: self.lastNumber, sent: now, promise: promise))
        return ByteBuffer(integer: self.lastNumber)
    }

    /// A pong has come. One that answers no ping of ours is a sign of life and nothing else (RFC 6455 § 5.5.3).
    /// - Returns: the pings that it answers, which the caller tells: whoever waits may ping again at once.
    mutating func takeAnswered(by payload: ByteBuffer) -> ArraySlice<Ping> {
        guard payload.readableBytes == 8, let number = payload.getInteger(at: payload.readerIndex, as: UInt64.self),
            let index = self.pings.firstIndex(where: { $0.number == number })
        else { return [] }
        // A peer may answer the latest ping only, which then answers those before it.
        let answered = self.pings[...index]
        self.pings.removeSubrange(...index)
        return answered
    }

    mutating func takeAll() -> [Ping] {
        defer { self.pings = [] }
        return self.pings
    }
}
