import Glibc
public import NetworkEmulation

/// The client's half of a measurement over an emulated network: this command once more, in the client's namespace.
public enum ClientProcess {
    /// Runs it until it ends. It is killed when the task is cancelled; its errors and its progress go where those of
    /// this process go.
    /// - Throws: `BenchmarkError` with `unavailable` when it cannot be started; `CancellationError`.
    public static func run(
        executable: String,
        arguments: [String],
        in namespace: NetworkNamespace
    ) async throws -> ProcessEnd {
        let child = try await ChildProcess.start(executable, arguments, errors: .inherited, in: namespace)
        await withTaskCancellationHandler {
            // A table for a terminal, which is not this one.
            _ = await child.remainingOutput()
        } onCancel: {
            kill(child.id, SIGKILL)
        }
        let end = await child.terminate(within: Self.endTime, isAsked: true)
        child.closeOutput()
        try Task.checkCancellation()
        return end
    }

    /// Milliseconds from the end of its output to its own.
    private static let endTime = 5_000
}
