import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing

@testable import LoopConcurrency

@Suite("Tasks on an event loop", .timeLimit(.minutes(1)))
struct EventLoopTaskExecutorTests {
    @Test("A task resumes on its loop, whoever wakes it")
    func resumes() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let (loop, other) = (group.next(), group.next())
        let executor = EventLoopTaskExecutor(loop)
        let places = await Task(executorPreference: executor) {
            var places = [loop.inEventLoop]
            await Self.resumed { loop.execute($0) }
            places.append(loop.inEventLoop)
            await Self.resumed { other.execute($0) }
            places.append(loop.inEventLoop)
            await Self.resumed { $0() }
            places.append(loop.inEventLoop)
            return places
        }.value
        #expect(places == [true, true, true, true])
    }

    @Test("Tasks that only yield do not keep the loop from its sockets", arguments: [1, 2])
    func sockets(taskCount: Int) async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let hasArrived = NIOLockedValueBox(false)
        let socket = try await DatagramBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        Arrival { hasArrived.withLockedValue { $0 = true } }
                    )
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let executor = EventLoopTaskExecutor(loop)
        await withDiscardingTaskGroup { group in
            for _ in 0..<taskCount {
                group.addTask(executorPreference: executor) {
                    // The datagram arrives, if ever, while this goes on.
                    socket.writeAndFlush(
                        AddressedEnvelope(remoteAddress: socket.localAddress!, data: ByteBuffer()),
                        promise: nil
                    )
                    while !hasArrived.withLockedValue({ $0 }) { await Task.yield() }
                }
            }
        }
        try await socket.close()
    }

    @Test("More jobs than run in a row all run, in their order")
    func order() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let executor = EventLoopTaskExecutor(loop)
        let count = 3 * EventLoopTaskExecutor.burst + 1
        let order = NIOLockedValueBox<[Int]>([])
        await withDiscardingTaskGroup { group in
            for number in 0..<count {
                group.addTask(executorPreference: executor) { order.withLockedValue { $0.append(number) } }
            }
        }
        #expect(order.withLockedValue { $0 } == Array(0..<count))
    }

    private static func resumed(by way: (@escaping @Sendable () -> Void) -> Void) async {
        await withCheckedContinuation { continuation in way { continuation.resume() } }
    }
}

/// Says that a datagram has come.
private final class Arrival: ChannelInboundHandler, Sendable {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let tell: @Sendable () -> Void

    init(_ tell: @escaping @Sendable () -> Void) {
        self.tell = tell
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.tell()
    }
}
