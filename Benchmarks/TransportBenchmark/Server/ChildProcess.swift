import Glibc
import NIOPosix

/// A program that runs beside this one: its standard output comes here, its standard error goes to a file.
///
/// Calls that block do so on threads of NIO's pool.
struct ChildProcess: Sendable {
    let id: pid_t
    /// The read end of its standard output.
    private let output: CInt

    /// - Parameter log: a file for its standard error, which is made.
    /// - Throws: `BenchmarkError` with `unavailable`.
    static func start(_ executable: String, _ arguments: [String], log: String) throws(BenchmarkError) -> ChildProcess {
        var ends: [CInt] = [-1, -1]
        guard pipe(&ends) == 0 else { throw Self.cannotStart(executable, errno) }
        // The child has the copy that is made for it, and no other.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_TRUNC, 0o600)

        // This program may ignore signals to handle them otherwise. Ignoring is inherited; the server must be able to
        // be ended.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        var strings: [UnsafeMutablePointer<CChar>?] = ([executable] + arguments).map { strdup($0) }
        strings.append(nil)
        defer { for string in strings { free(string) } }
        var id: pid_t = 0
        let result = posix_spawn(&id, executable, &actions, &attributes, strings, environ)
        close(ends[1])
        guard result == 0 else {
            close(ends[0])
            throw Self.cannotStart(executable, result)
        }
        return ChildProcess(id: id, output: ends[0])
    }

    /// Its first line on standard output, without the end; nil when it ends, or the time does, before the line.
    func firstLine(within milliseconds: CInt) async -> String? {
        await Self.blocking {
            let deadline = Self.now() + Int(milliseconds)
            var line: [UInt8] = []
            while line.last != UInt8(ascii: "\n") {
                var wanted = pollfd(fd: self.output, events: Int16(POLLIN), revents: 0)
                let left = CInt(max(0, deadline - Self.now()))
                let ready = poll(&wanted, 1, left)
                if ready < 0 && errno == EINTR { continue }
                var byte: UInt8 = 0
                guard ready > 0, read(self.output, &byte, 1) == 1 else { return nil }
                line.append(byte)
            }
            return String(decoding: line.dropLast(), as: UTF8.self)
        }
    }

    /// Waits until it has closed its standard output, which it does when it ends.
    func outputEnded() async {
        await Self.blocking {
            var bytes: [UInt8] = Array(repeating: 0, count: 4_096)
            while true {
                let count = read(self.output, &bytes, bytes.count)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return }
            }
        }
    }

    /// Ends it: SIGTERM, then after a time SIGKILL. Not to be called twice. It does not heed cancellation.
    /// - Returns: how it ended, in words.
    @discardableResult
    func terminate(within milliseconds: Int) async -> String {
        await Self.blocking {
            kill(self.id, SIGTERM)
            let deadline = Self.now() + milliseconds
            var status: CInt = 0
            while waitpid(self.id, &status, WNOHANG) == 0 {
                if Self.now() >= deadline {
                    kill(self.id, SIGKILL)
                    while waitpid(self.id, &status, 0) < 0 && errno == EINTR {}
                    break
                }
                usleep(10_000)
            }
            // The low seven bits hold the signal that ended it, if any; the next byte its exit code (wait(2)).
            let signal = status & 0x7f
            return signal == 0 ? "exit code \(status >> 8 & 0xff)" : "signal \(signal)"
        }
    }

    /// Closes its standard output. Nothing may be reading it.
    func closeOutput() {
        close(self.output)
    }

    /// Milliseconds of a clock that nobody sets.
    private static func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
    }

    private static func blocking<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
        await withCheckedContinuation { continuation in
            NIOThreadPool.singleton.submit { _ in continuation.resume(returning: body()) }
        }
    }

    private static func cannotStart(_ executable: String, _ error: CInt) -> BenchmarkError {
        BenchmarkError(
            .unavailable,
            "the server \(executable) cannot be started: \(String(cString: strerror(error))); start one by hand and name "
                + "it with --target"
        )
    }
}
