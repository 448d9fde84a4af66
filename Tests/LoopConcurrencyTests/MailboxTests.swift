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
        let (terminations, termination) = AsyncStream<Void>.makeStream()
        var mailbox: Mailbox<Int>? = Mailbox(
            lowWatermark: 1,
            highWatermark: 2,
            onTermination: { termination.yield() }
        )
        let source = mailbox!.source
        var iterator = mailbox!.makeAsyncIterator() as Mailbox<Int>.AsyncIterator?
        source.offer(1)
        _ = await iterator?.next()
        mailbox = nil
        #expect(source.offer(2) == .wantsMore, "the iterator is still there")
        iterator = nil
        #expect(source.offer(3) == .ended)
        var terminationIterator = terminations.makeAsyncIterator()
        await terminationIterator.next()
    }

    @Test("Who has stopped iterating may begin again, where it was")
    func resumption() async {
        let mailbox = Mailbox<Int>(lowWatermark: 1, highWatermark: 8)
        for number in 0..<5 { mailbox.source.offer(number) }
        mailbox.source.finish()
        for await number in mailbox where number == 1 { break }
        var rest: [Int] = []
        for await number in mailbox { rest.append(number) }
        #expect(rest == [2, 3, 4])
    }

    @Test("Of two tasks that wait at once the second gets nothing, and the first is not disturbed")
    func twoTasks() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let mailbox = Mailbox<Int>(lowWatermark: 1, highWatermark: 8)
        let both = Task(executorPreference: EventLoopTaskExecutor(loop)) {
            await withTaskGroup(of: Int?.self) { group in
                for _ in 0..<2 {
                    group.addTask {
                        var iterator = mailbox.makeAsyncIterator()
                        return await iterator.next()
                    }
                }
                // One of them has nothing to wait for.
                let first = await group.next() ?? 0
                mailbox.source.offer(7)
                return (first, await group.next() ?? nil)
            }
        }
        let (first, second) = await both.value
        #expect(first == nil)
        #expect(second == 7)
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
