// Its sources may be used from any thread; the module does not say so on Linux.
@preconcurrency import Dispatch
import Glibc

/// The signals by which a person or a supervisor asks a client command to end: Ctrl-C, SIGTERM, and the loss of the
/// terminal.
///
/// They arrive here instead of ending the program, so that sessions are closed and child processes ended.
final class Interruption: Sendable {
    /// Iterate it once, in one task.
    let signals: AsyncStream<CInt>
    private let sources: [any DispatchSourceSignal]

    init() {
        let (signals, continuation) = AsyncStream<CInt>.makeStream(bufferingPolicy: .bufferingNewest(8))
        self.signals = signals
        self.sources = [SIGINT, SIGTERM, SIGHUP].map { number in
            // The default action would come first.
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { continuation.yield(number) }
            source.resume()
            return source
        }
    }

    /// What a shell expects of a program that a signal has ended.
    static func exitCode(_ signal: CInt) -> CInt { 128 + signal }

    /// Runs `body`, and cancels it at the first signal.
    /// - Throws: `Interrupted` after a signal, whatever `body` makes of it; else what `body` throws.
    func cancelling<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
        try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                for await signal in self.signals { throw Interrupted(signal: signal) }
                return nil
            }
            defer { group.cancelAll() }
            while let result = try await group.next() {
                if let result { return result }
            }
            preconditionFailure("the body returns or throws")
        }
    }

    /// Runs `body`, cancels it at the first signal, and waits for what it makes of that.
    /// - Returns: what `body` returns, and the signal if one came before.
    /// - Throws: `Interrupted` when `body` throws after a signal; else what `body` throws.
    func concluding<Result: Sendable>(
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> (Result, signal: CInt?) {
        try await withThrowingTaskGroup(of: CInt?.self) { group in
            group.addTask {
                for await signal in self.signals { return signal }
                return nil
            }
            let work = Task { try await body() }
            // It returns when the work is done, or has been cancelled and is done then.
            group.addTask {
                _ = await work.result
                return nil
            }
            let signal = try await group.next() ?? nil
            if signal != nil { work.cancel() }
            group.cancelAll()
            do {
                return (try await work.value, signal)
            } catch {
                guard let signal else { throw error }
                throw Interrupted(signal: signal)
            }
        }
    }
}

/// A signal has ended what was being done.
struct Interrupted: Error {
    let signal: CInt
}
