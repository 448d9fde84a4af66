import NIOCore

extension EventLoop {
    /// Returns when it is that late, at once if it is.
    /// - Throws: `CancellationError`, at once.
    func sleep(until time: NIODeadline) async throws {
        guard time > .now() else { return }
        let alarm = self.scheduleTask(deadline: time) {}
        do {
            try await withTaskCancellationHandler {
                try await alarm.futureResult.get()
            } onCancel: {
                alarm.cancel()
            }
        } catch {
            try Task.checkCancellation()
            throw error
        }
    }
}
