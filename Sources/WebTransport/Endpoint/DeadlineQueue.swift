import HeapModule
import NIOCore

/// When each connection wants to be woken, for one timer.
///
/// A connection's deadline moves with every packet. Entries are therefore lazy: one that comes due is compared with the
/// deadline as it is then. A later deadline costs nothing, an earlier one costs a push.
struct DeadlineQueue<Owner: AnyObject> {
    private struct Entry: Comparable {
        var deadline: NIODeadline
        var owner: ObjectIdentifier

        static func < (left: Self, right: Self) -> Bool { left.deadline < right.deadline }
        static func == (left: Self, right: Self) -> Bool { left.deadline == right.deadline }
    }

    private var heap = Heap<Entry>()
    /// The earliest entry of each owner; others of it are stale. Only this table keeps owners alive.
    private var scheduled: [ObjectIdentifier: (deadline: NIODeadline, owner: Owner)] = [:]

    /// When to look again; nil when nothing is pending. It may be early.
    var next: NIODeadline? { self.heap.min?.deadline }

    /// `owner` wants to be woken at `deadline`, or not at all.
    mutating func update(_ owner: Owner, to deadline: NIODeadline?) {
        guard let deadline else { return }
        let id = ObjectIdentifier(owner)
        if let present = self.scheduled[id], present.deadline <= deadline { return }
        self.scheduled[id] = (deadline, owner)
        self.heap.insert(Entry(deadline: deadline, owner: id))
        if self.heap.count > 64 + 4 * self.scheduled.count { self.dropStaleEntries() }
    }

    private mutating func dropStaleEntries() {
        self.heap = Heap(self.scheduled.map { Entry(deadline: $0.value.deadline, owner: $0.key) })
    }

    /// Takes an owner whose entry has come due. It may turn out that it is not: update it then.
    mutating func popDue(at now: NIODeadline) -> Owner? {
        while let first = self.heap.min, first.deadline <= now {
            self.heap.removeMin()
            guard let present = self.scheduled[first.owner], present.deadline == first.deadline else { continue }
            self.scheduled[first.owner] = nil
            return present.owner
        }
        return nil
    }

    /// Forgets an owner; what is left of it in the heap is dropped when it comes due.
    mutating func remove(_ owner: Owner) {
        self.scheduled[ObjectIdentifier(owner)] = nil
    }
}
