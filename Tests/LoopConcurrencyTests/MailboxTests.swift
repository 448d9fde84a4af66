import LoopConcurrency
import NIOCore
import NIOPosix
import Testing

@Suite("Mailbox")
struct MailboxTests {
    @Test("Elements arrive in order and the sequence ends after the last one")
    func order() async {
        let mailbox = Mailbox<Int>(lowWatermark: 2, highWatermark: 4)
        for number in 0..<3 { mailbox.source.offer(number) }
        mailbox.source.finish()
        var received: [Int] = []
        for await number in mailbox { received.append(number) }
        #expect(received == [0, 1, 2])
    }

    @Test("A full mailbox says so and asks again when it has been read")
    func backPressure() async {
        let (demands, demand) = AsyncStream<Void>.makeStream()
        let mailbox = Mailbox<Int>(lowWatermark: 1, highWatermark: 2, onDemand: { demand.yield() })
        #expect(mailbox.source.offer(0) == .wantsMore)
        #expect(mailbox.source.offer(1) == .full)
        var iterator = mailbox.makeAsyncIterator()
        let received = [await iterator.next(), await iterator.next()]
        #expect(received == [0, 1])
        var demandIterator = demands.makeAsyncIterator()
        await demandIterator.next()
        mailbox.source.finish()
    }

    @Test("Offering to a consumer that is gone says ended")
    func ended() async {
        let mailbox = Mailbox<Int>(lowWatermark: 1, highWatermark: 2)
        do {
            var iterator = mailbox.makeAsyncIterator()
            mailbox.source.offer(1)
            _ = await iterator.next()
        }
        #expect(mailbox.source.offer(2) == .ended)
    }

    @Test("A task with the loop as its executor runs on the loop's thread before and after suspension")
    func executor() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let mailbox = Mailbox<Int>(lowWatermark: 1, highWatermark: 2)
        let task = Task(executorPreference: EventLoopTaskExecutor(loop)) {
            var onLoop = [loop.inEventLoop]
            for await _ in mailbox { onLoop.append(loop.inEventLoop) }
            return onLoop
        }
        mailbox.source.offer(1)
        mailbox.source.finish()
        #expect(await task.value == [true, true])
    }
}
