import NIOCore
import NIOPosix
import Testing

@testable import WebTransport

@Suite("Something that happens once")
struct OccurrenceTests {
    private static let loop = MultiThreadedEventLoopGroup.singleton.next()

    /// Waits on the loop.
    private static func wait(for bound: NIOLoopBound<Occurrence<Int>>, ticket: WaitTicket) async throws -> Int {
        try await withCheckedThrowingContinuation { continuation in
            Self.loop.execute { bound.value.wait(continuation, ticket: ticket) }
        }
    }

    private static func make() async throws -> NIOLoopBound<Occurrence<Int>> {
        try await Self.loop.submit { NIOLoopBound(Occurrence<Int>(), eventLoop: Self.loop) }.get()
    }

    @Test("All who wait learn of it, and whoever comes later; only the first time counts")
    func happens() async throws {
        let occurrence = try await Self.make()
        async let first = Self.wait(for: occurrence, ticket: WaitTicket())
        async let second = Self.wait(for: occurrence, ticket: WaitTicket())
        try await Self.loop.submit {
            occurrence.value.happened(1)
            occurrence.value.happened(2)
        }.get()
        #expect(try await [first, second] == [1, 1])
        #expect(try await Self.wait(for: occurrence, ticket: WaitTicket()) == 1)
    }

    @Test("Whoever is cancelled leaves nothing behind, be it before the wait or in it")
    func cancellation() async throws {
        let occurrence = try await Self.make()
        let early = WaitTicket()
        early.cancel()
        await #expect(throws: CancellationError.self) { try await Self.wait(for: occurrence, ticket: early) }
        for _ in 0..<10 {
            let ticket = WaitTicket()
            let waiting = Task { try await Self.wait(for: occurrence, ticket: ticket) }
            while try await Self.loop.submit({ occurrence.value.waiterCount }).get() == 0 { await Task.yield() }
            try await Self.loop.submit { occurrence.value.cancelWait(ticket) }.get()
            await #expect(throws: CancellationError.self) { try await waiting.value }
        }
        #expect(try await Self.loop.submit { occurrence.value.waiterCount }.get() == 0)
    }
}
