import Glibc
import Synchronization

/// What a process has as standard input, to learn from its end that it shall end itself.
final class ControlPipe: Sendable {
    /// For the process.
    let readEnd: CInt
    private let writeEnd: Mutex<CInt?>

    /// - Throws: `BenchmarkError` with `unavailable`.
    init() throws(BenchmarkError) {
        let pipe = try PrivatePipe()
        self.readEnd = pipe.readEnd
        self.writeEnd = Mutex(pipe.writeEnd)
    }

    /// Asks the process to end. Without effect when it has been asked.
    func close() {
        self.writeEnd.withLock { end in
            if let end { Glibc.close(end) }
            end = nil
        }
    }

    deinit {
        self.close()
        Glibc.close(self.readEnd)
    }
}
