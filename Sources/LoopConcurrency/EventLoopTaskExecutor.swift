import DequeModule
public import NIOCore

/// Runs tasks on one event loop, so that a session's handler shares a thread with its connection.
///
/// Every `await` of a task with this preference resumes on the loop: no thread hop on the message path.
/// A task that blocks holds up every connection of the loop. One that only yields, or a chain of tasks that wake each
/// other, does not: after `burst` jobs in a row the loop looks at its sockets and timers.
public final class EventLoopTaskExecutor: TaskExecutor {
    /// Jobs in a row. An event loop runs what was handed to it until nothing is left, and only then looks at its
    /// sockets; a job that leads to the next would keep it from them for good.
    static let burst = 512
    /// The loop looks at its sockets only when its next task is not due yet by the time that it has ended this one. So
    /// the pause is what 32 jobs take, on a machine however slow, and at least this.
    private static let shortestPause = TimeAmount.microseconds(10)

    private let eventLoop: any EventLoop
    private let queue: NIOLoopBoundBox<Queue>

    private struct Queue: Sendable {
        var jobs = Deque<UnownedJob>()
        /// Whether somebody runs the jobs now, or the loop has been asked to.
        var isAttended = false
    }

    /// Makes an executor for one loop. Several for the same loop do no harm.
    public init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.queue = .makeBoxSendingValue(Queue(), eventLoop: eventLoop)
    }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if self.eventLoop.inEventLoop {
            self.queue.value.jobs.append(job)
            guard !self.queue.value.isAttended else { return }
            self.queue.value.isAttended = true
            // Not at once: whoever wakes a task has work of his own to end first.
            self.eventLoop.execute { self.runJobs() }
        } else {
            self.eventLoop.execute {
                self.queue.value.jobs.append(job)
                guard !self.queue.value.isAttended else { return }
                self.queue.value.isAttended = true
                self.runJobs()
            }
        }
    }

    private func runJobs() {
        let executor = self.asUnownedTaskExecutor()
        var halfTime = NIODeadline.distantPast
        for count in 0..<Self.burst {
            if count == Self.burst / 2 { halfTime = .now() }
            guard let job = self.queue.value.jobs.popFirst() else {
                self.queue.value.isAttended = false
                return
            }
            job.runSynchronously(on: executor)
        }
        let pause = TimeAmount.nanoseconds((NIODeadline.now() - halfTime).nanoseconds / 8)
        self.eventLoop.scheduleTask(in: max(pause, Self.shortestPause)) { self.runJobs() }
    }
}
