import NIOCore
import QUIC

/// The requests of a connection that have begun and not arrived whole, each with the time by which it must: a peer that
/// sends a byte at a time must not hold a stream, nor what its header section holds, for as long as it likes.
struct RequestDeadlines {
    private var pending: [StreamID: NIODeadline] = [:]
    /// When to look for requests that are overdue; nil when none is pending. It may be that of one that has arrived
    /// since.
    private(set) var next: NIODeadline?

    mutating func requestBegan(_ id: StreamID, until deadline: NIODeadline) {
        self.pending[id] = deadline
        self.next = min(self.next ?? deadline, deadline)
    }

    /// It has arrived whole, or nobody waits for the rest of it.
    mutating func requestEnded(_ id: StreamID) {
        guard self.pending.removeValue(forKey: id) != nil, self.pending.isEmpty else { return }
        self.next = nil
    }

    /// Forgets what should have arrived by now, and returns it.
    mutating func takeOverdue(at now: NIODeadline) -> [StreamID] {
        guard let next = self.next, next <= now else { return [] }
        let overdue = self.pending.filter { $0.value <= now }
        for id in overdue.keys { self.pending[id] = nil }
        self.next = self.pending.values.min()
        return Array(overdue.keys)
    }
}
