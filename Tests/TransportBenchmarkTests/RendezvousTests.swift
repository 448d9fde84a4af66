import LoopConcurrency
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import TransportBenchmark

@Suite("Sessions that wait for each other", .timeLimit(.minutes(1)))
struct RendezvousTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.next()

    private func make(of count: Int, whenMet: @escaping @Sendable () -> Void) async throws -> NIOLoopBound<Rendezvous> {
        let loop = self.loop
        return try await loop.submit {
            NIOLoopBound(Rendezvous(of: count, whenMet: whenMet), eventLoop: loop)
        }.get()
    }

    @Test("The last one that comes lets all go on, once what is to happen has happened")
    func meeting() async throws {
        let (order, loop) = (OrderLog(), self.loop)
        let place = try await self.make(of: 3) { order.append("met") }
        try await withTaskExecutorPreference(EventLoopTaskExecutor(loop)) {
            try await withThrowingDiscardingTaskGroup { group in
                for _ in 0..<3 {
                    group.addTask {
                        try await place.arrive(on: loop)
                        order.append("on")
                    }
                }
            }
        }
        #expect(order.all == ["met", "on", "on", "on"])
    }

    @Test("Nobody waits for one that will not come, nor does who comes later")
    func failure() async throws {
        let (loop, executor) = (self.loop, EventLoopTaskExecutor(self.loop))
        let place = try await self.make(of: 3) { Issue.record("they never meet") }
        await withTaskExecutorPreference(executor) {
            let waiting = Task(executorPreference: executor) { try await place.arrive(on: loop) }
            let cancelled = Task(executorPreference: executor) { try await place.arrive(on: loop) }
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
            await #expect(throws: CancellationError.self) { try await cancelled.value }
            await #expect(throws: CancellationError.self) { try await place.arrive(on: loop) }
        }
    }
}

/// What happened, in its order.
private final class OrderLog: Sendable {
    private let entries = Mutex<[String]>([])

    var all: [String] { self.entries.withLock { $0 } }

    func append(_ entry: String) {
        self.entries.withLock { $0.append(entry) }
    }
}
