import DequeModule

/// Streams that wait for their turn to send.
///
/// A peer may close a thousand of them while they wait. Each is only marked, and passed over when its turn comes; when
/// more than half of a queue are closed they are all swept out. So a close takes constant time in the long run, and
/// what a queue keeps alive is at most twice what is open.
struct StreamQueue {
    private var streams: Deque<Stream> = []
    private var closedCount = 0

    /// The open ones.
    var count: Int { self.streams.count - self.closedCount }

    mutating func append(_ stream: Stream) {
        self.streams.append(stream)
    }

    mutating func prepend(_ stream: Stream) {
        self.streams.prepend(stream)
    }

    /// The next open stream.
    mutating func popFirst() -> Stream? {
        while let stream = self.streams.popFirst() {
            guard stream.isClosed else { return stream }
            self.closedCount -= 1
        }
        return nil
    }

    /// One of the streams in here has closed. What it held is gone already: only the mark stays.
    mutating func streamClosed() {
        self.closedCount += 1
        guard self.closedCount * 2 > self.streams.count else { return }
        self.streams.removeAll { $0.isClosed }
        self.closedCount = 0
    }

    mutating func removeAll() {
        self.streams.removeAll()
        self.closedCount = 0
    }
}
