import DequeModule
package import NIOCore

/// Datagrams that wait to be sent (RFC 9221). Bounded: when it is full the oldest is dropped, for with unreliable data
/// the newest matters most.
struct DatagramQueue {
    /// A payload behind the header that says whose it is; both are sent without being copied together.
    struct Entry {
        var header: ByteBuffer
        var payload: ByteBuffer
        var byteCount: Int { self.header.readableBytes + self.payload.readableBytes }
    }

    var capacity = 1024
    private var entries: Deque<Entry> = []

    var first: Entry? { self.entries.first }
    var isEmpty: Bool { self.entries.isEmpty }
    var count: Int { self.entries.count }

    /// - Returns: whether an older one had to go.
    mutating func append(_ entry: Entry) -> Bool {
        let isFull = self.entries.count >= self.capacity
        if isFull { self.entries.removeFirst() }
        self.entries.append(entry)
        return isFull
    }

    mutating func removeFirst() {
        self.entries.removeFirst()
    }

    mutating func removeAll() {
        self.entries.removeAll()
    }
}

/// What became of a datagram that was handed over for sending.
package enum DatagramOutcome: Hashable, Sendable {
    /// Queued; it goes out as soon as congestion control lets it.
    case queued
    /// Queued, and the oldest one that waited was dropped for it.
    case displacedOldest
    /// Larger than the path and the peer take now; dropped.
    case tooLarge
    /// The peer takes no datagrams, or the connection is closed; dropped.
    case unavailable
}

extension Connection {
    /// Queues a datagram. It never waits.
    package func sendDatagram(header: ByteBuffer, payload: ByteBuffer) -> DatagramOutcome {
        let limit = self.maxDatagramSize
        guard self.isOpen, limit > 0 else { return .unavailable }
        let entry = DatagramQueue.Entry(header: header, payload: payload)
        guard entry.byteCount <= limit else { return .tooLarge }
        return self.datagrams.append(entry) ? .displacedOldest : .queued
    }
}
