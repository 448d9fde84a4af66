import Glibc
public import NetworkEmulation

/// The client's half of a measurement over an emulated network: this command once more, in the client's namespace.
public enum ClientProcess {
    /// Runs it until it ends. It is asked to end when the task is cancelled, and what it has measured then counts; its
    /// errors and its progress go where those of this process go.
    /// - Throws: `BenchmarkError` with `unavailable` when it cannot be started.
    public static func run(
        executable: String,
        arguments: [String],
        in namespace: NetworkNamespace,
        on processors: [Int32]
    ) async throws -> ProcessEnd {
        let child = try await ChildProcess.start(
            executable,
            arguments,
            errors: .inherited,
            in: namespace,
            on: processors
        )
        await withTaskCancellationHandler {
            // A table for a terminal, which is not this one.
            _ = await child.remainingOutput()
        } onCancel: {
            kill(child.id, SIGTERM)
        }
        let end = await child.terminate(within: Self.endTime, isAsked: true)
        child.closeOutput()
        return end
    }

    /// Milliseconds from the end of its output to its own.
    private static let endTime = 5_000
}
