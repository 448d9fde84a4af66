import NIOCore

/// One deadline that moves often and is met seldom, such as an idle time-out.
///
/// Moving it later costs an assignment: the loop's timer is not touched until it fires, and is then armed for what
/// remains. Not `Sendable`; it belongs to its loop.
final class DeadlineTimer {
    private let eventLoop: any EventLoop
    private let onDeadline: () -> Void
    private var deadline: NIODeadline?
    private var armed: (task: Scheduled<Void>, deadline: NIODeadline)?

    init(_ eventLoop: any EventLoop, onDeadline: @escaping () -> Void) {
        self.eventLoop = eventLoop
        self.onDeadline = onDeadline
    }

    /// Calls `onDeadline` after this time, unless the deadline is moved before.
    func set(_ amount: TimeAmount) {
        let deadline = self.eventLoop.now + amount
        self.deadline = deadline
        if let armed = self.armed {
            guard deadline < armed.deadline else { return }
            armed.task.cancel()
        }
        self.arm(deadline)
    }

    /// Forgets the deadline. The loop's timer goes too, so that it does not keep the connection in memory.
    func cancel() {
        self.deadline = nil
        self.armed?.task.cancel()
        self.armed = nil
    }

    private func arm(_ deadline: NIODeadline) {
        let task = self.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.armed = nil
            guard let deadline = self.deadline else { return }
            if deadline > self.eventLoop.now {
                self.arm(deadline)
            } else {
                self.deadline = nil
                self.onDeadline()
            }
        }
        self.armed = (task, deadline)
    }
}
