extension ChildProcess {
    /// What came of some work while a process ran.
    struct Supervision<Output: Sendable>: Sendable {
        /// Of the work; nil when the process ended before it.
        var outcome: Result<Output, any Error>?
        /// How the process ended.
        var end: ProcessEnd
        /// What the process wrote on its standard output meanwhile.
        var output: [UInt8]
    }

    /// Runs `body` until it or the process ends, then makes sure that the process has ended, and closes its output.
    /// - Parameter end: ends the process, if it has not by itself.
    func supervise<Output: Sendable>(
        end: @Sendable () async -> ProcessEnd,
        _ body: @escaping @Sendable () async throws -> Output
    ) async -> Supervision<Output> {
        // Its output ends with it; who waits for that finishes the stream.
        let (ended, source) = AsyncStream<Void>.makeStream()
        return await withTaskGroup(of: [UInt8].self) { watcher in
            watcher.addTask {
                let output = await self.remainingOutput()
                source.finish()
                return output
            }
            var outcome: Result<Output, any Error>?
            do {
                outcome = try await Self.first(ended, body).map { .success($0) }
            } catch {
                outcome = .failure(error)
            }
            let end = await end()
            let output = await watcher.next() ?? []
            self.closeOutput()
            return Supervision(outcome: outcome, end: end, output: output)
        }
    }

    /// - Returns: what `body` does, also when the task is cancelled; nil when `ended` finishes before it.
    private static func first<Output: Sendable>(
        _ ended: AsyncStream<Void>,
        _ body: @escaping @Sendable () async throws -> Output
    ) async throws -> Output? {
        try await withThrowingTaskGroup(of: Output?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                for await _ in ended {}
                return nil
            }
            defer { group.cancelAll() }
            while let output = try await group.next() {
                // A stream of a task that is cancelled finishes at once.
                if output != nil || !Task.isCancelled { return output }
            }
            preconditionFailure("the body returns or throws")
        }
    }
}
