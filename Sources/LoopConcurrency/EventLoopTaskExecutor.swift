public import NIOCore

/// Runs tasks on one event loop, so that a session's handler shares a thread with its connection.
///
/// Every `await` of a task with this preference resumes on the loop: no thread hop and no lock on the message path.
/// A task that blocks holds up every connection of the loop.
public final class EventLoopTaskExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    public init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = self.asUnownedTaskExecutor()
        self.eventLoop.execute { job.runSynchronously(on: executor) }
    }
}
