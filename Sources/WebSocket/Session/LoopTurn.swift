import NIOCore
import NIOPosix

/// Lets work of one event loop wait until the loop has looked at its sockets.
///
/// NIO's loop runs tasks until there are none, and only then asks the kernel for events. A handler on the loop whose
/// sends the kernel takes at once would go on from task to task, and no other connection of the loop would be read for
/// as long as its peer keeps up. All of a loop wait together, because several such handlers would otherwise keep the
/// loop busy for each other.
enum LoopTurn {
    /// The loop sleeps for so long unless there are events; any time that is longer than the few instructions between
    /// setting the timer and looking at it makes the loop turn.
    private static let pause = TimeAmount.microseconds(20)

    /// What waits on the loop of the current thread.
    private static let waiting = ThreadSpecificVariable<NIOLoopBoundBox<[() -> Void]>>()

    /// Runs `body` after the loop has looked at its sockets. To be called on the loop.
    static func next(of eventLoop: any EventLoop, _ body: @escaping () -> Void) {
        let waiting = self.waiting.currentValue ?? NIOLoopBoundBox([], eventLoop: eventLoop)
        self.waiting.currentValue = waiting
        waiting.value.append(body)
        guard waiting.value.count == 1 else { return }
        // The timer is set behind the tasks that are ready now: set before them it could pass while they run.
        eventLoop.execute {
            eventLoop.scheduleTask(in: Self.pause) {
                let bodies = waiting.value
                waiting.value = []
                for body in bodies { body() }
            }
        }
    }
}
