import LoopConcurrency
import NIOCore
import Testing

@Suite("Bytes that nobody wants yet")
struct ByteQueueTests {
    @Test("They wait in order, and come in portions")
    func order() {
        var queue = ByteQueue()
        #expect(queue.isEmpty && queue.next() == nil)
        let pieces = (0..<200).map { ByteBuffer(repeating: UInt8($0), count: 1_000) }
        for piece in pieces { queue.append(piece) }
        #expect(queue.readableBytes == 200_000)
        var portions: [ByteBuffer] = []
        while let portion = queue.next() { portions.append(portion) }
        #expect(portions.allSatisfy { $0.readableBytes <= ByteQueue.portion })
        #expect(portions.count == 4)
        #expect(portions.flatMap { Array($0.readableBytesView) } == pieces.flatMap { Array($0.readableBytesView) })
        #expect(queue.isEmpty && queue.readableBytes == 0)
        queue.append(ByteBuffer())
        #expect(queue.isEmpty && queue.next() == nil)
    }

    @Test("Bytes that come one by one cost little more than a byte each")
    func singleBytes() {
        var queue = ByteQueue()
        for _ in 0..<100_000 { queue.append(ByteBuffer(integer: UInt8(1))) }
        var (count, capacity) = (0, 0)
        while let portion = queue.next() {
            count += 1
            capacity += portion.capacity
        }
        #expect(count == 2)
        #expect(capacity <= 3 * 100_000)
    }

    @Test("What was taken out is not kept, though the queue never runs empty")
    func neverEmpty() {
        var queue = ByteQueue()
        let piece = ByteBuffer(repeating: 1, count: 40_000)
        for _ in 0..<10 { queue.append(piece) }
        for _ in 0..<1_000 {
            queue.append(piece)
            let portion = queue.next()
            #expect((portion?.capacity ?? 0) <= 2 * ByteQueue.portion)
        }
        #expect(queue.readableBytes == 10 * 40_000)
    }
}
