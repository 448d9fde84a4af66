import NIOCore
import Testing

@testable import QUIC

@Suite("Streams that wait for their turn")
struct StreamQueueTests {
    private static func makeStreams(_ count: Int) -> [Stream] {
        (0..<count).map { Stream(id: StreamID(rawValue: Int64($0) * 4)) }
    }

    @Test("They take turns, and those that have closed are passed over")
    func turns() {
        var queue = StreamQueue()
        let streams = Self.makeStreams(5)
        for stream in streams { queue.append(stream) }
        for index in [0, 3] {
            streams[index].close()
            queue.streamClosed()
        }
        #expect(queue.count == 3)
        #expect(queue.popFirst() === streams[1])
        queue.prepend(streams[1])
        #expect(queue.popFirst() === streams[1])
        #expect(queue.popFirst() === streams[2])
        #expect(queue.popFirst() === streams[4])
        #expect(queue.popFirst() == nil)
        #expect(queue.count == 0)
    }

    @Test("Closed streams are let go of, whichever order they close in", arguments: [false, true])
    func release(fromTheEnd: Bool) {
        final class Weak {
            weak var stream: Stream?
            init(_ stream: Stream) { self.stream = stream }
        }
        var queue = StreamQueue()
        var streams = Self.makeStreams(1000)
        let observed = streams.map(Weak.init)
        for stream in streams { queue.append(stream) }
        if fromTheEnd { streams.reverse() }
        for stream in streams {
            stream.close()
            queue.streamClosed()
        }
        streams.removeAll()
        #expect(observed.allSatisfy { $0.stream == nil })
    }

    @Test("A closed stream holds no data while it waits")
    func data() {
        let stream = Stream(id: StreamID(rawValue: 0))
        stream.buffer.append(ByteBuffer(repeating: 0, count: 1000))
        stream.close()
        #expect(stream.buffer.heldByteCount == 0)
        #expect(!stream.hasSomethingToSend)
    }
}
