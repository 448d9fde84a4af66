import NIOCore
import Testing

@testable import WebTransport

@Suite("Deadline queue")
struct DeadlineQueueTests {
    private final class Owner {}
    private static func time(_ milliseconds: Int64) -> NIODeadline {
        .uptimeNanoseconds(UInt64(milliseconds) * 1_000_000)
    }

    @Test("Owners come due in the order of their deadlines, each once")
    func order() {
        var queue = DeadlineQueue<Owner>()
        let (first, second) = (Owner(), Owner())
        queue.update(second, to: Self.time(20))
        queue.update(first, to: Self.time(10))
        #expect(queue.next == Self.time(10))
        let due = [queue.popDue(at: Self.time(20)), queue.popDue(at: Self.time(20)), queue.popDue(at: Self.time(20))]
        #expect(due[0] === first)
        #expect(due[1] === second)
        #expect(due[2] == nil)
    }

    @Test("An earlier deadline counts; a later one is looked at when the earlier has come")
    func changes() {
        var queue = DeadlineQueue<Owner>()
        let owner = Owner()
        queue.update(owner, to: Self.time(30))
        queue.update(owner, to: Self.time(10))
        queue.update(owner, to: Self.time(50))
        let early = queue.popDue(at: Self.time(9))
        #expect(early == nil)
        let due = queue.popDue(at: Self.time(10))
        #expect(due === owner)
        let stale = queue.popDue(at: Self.time(100))
        #expect(stale == nil)
    }

    @Test("A removed owner is let go at once, though its entry is still in the heap")
    func removal() {
        var queue = DeadlineQueue<Owner>()
        weak var released: Owner?
        do {
            let owner = Owner()
            released = owner
            queue.update(owner, to: Self.time(10))
            queue.remove(owner)
        }
        #expect(released == nil)
        let due = queue.popDue(at: Self.time(100))
        #expect(due == nil)
    }
}
