import CNetworkEmulation
import Foundation
import Glibc
import NIOPosix
import NetworkEmulation

/// A program that runs beside this one and is killed when this one ends, however it does. Its standard output comes
/// here.
///
/// Calls that block do so on threads of NIO's pool, or their own.
struct ChildProcess: Sendable {
    let id: pid_t
    /// The read end of its standard output.
    private let output: CInt

    /// Where a program's standard error goes.
    enum ErrorOutput {
        /// A file, which is made.
        case log(String)
        /// That of this process.
        case inherited
    }

    /// - Parameters:
    ///   - input: its standard input; nil for one that is empty.
    ///   - inherited: further descriptors, which it gets from 3 on.
    ///   - namespace: where it runs; nil for that of this process.
    ///   - processors: those it keeps to; none for all that this process may use.
    /// - Throws: `BenchmarkError` with `unavailable`.
    static func start(
        _ executable: String,
        _ arguments: [String],
        errors: ErrorOutput,
        input: CInt? = nil,
        inherited: [CInt] = [],
        in namespace: NetworkNamespace? = nil,
        on processors: [CInt] = []
    ) async throws -> ChildProcess {
        // On a thread that never ends: the child is killed when the thread that made it does.
        // That thread may keep to some processors, which is nothing for the child.
        let processors = processors.isEmpty ? ProcessorPlan.available : processors
        let started = await Self.blocking { () -> Result<ChildProcess, BenchmarkError> in
            do throws(BenchmarkError) {
                let descriptors = try StandardDescriptors(errors, input: input)
                defer { descriptors.close() }
                let id = try Self.start(executable, arguments, descriptors.all + inherited, namespace, processors)
                return .success(ChildProcess(id: id, output: descriptors.outputReadEnd))
            } catch {
                return .failure(error)
            }
        }
        return try started.get()
    }

    private static func start(
        _ executable: String,
        _ arguments: [String],
        _ descriptors: [CInt],
        _ namespace: NetworkNamespace?,
        _ processors: [CInt]
    ) throws(BenchmarkError) -> pid_t {
        var strings: [UnsafeMutablePointer<CChar>?] = ([executable] + arguments).map { strdup($0) }
        strings.append(nil)
        defer { for string in strings { free(string) } }
        var id: pid_t = 0
        let error = strings.withUnsafeBufferPointer { strings in
            descriptors.withUnsafeBufferPointer { descriptors in
                processors.withUnsafeBufferPointer { processors in
                    var program = CNetworkEmulation_program(
                        // The array has the executable's name and the end: neither is without an address.
                        executable: strings[0]!,
                        arguments: strings.baseAddress!,
                        user: namespace?.user ?? -1,
                        network: namespace?.network ?? -1,
                        descriptors: descriptors.baseAddress,
                        descriptor_count: descriptors.count,
                        processors: processors.baseAddress,
                        processor_count: processors.count
                    )
                    return CNetworkEmulation_start(&program, &id)
                }
            }
        }
        guard error == 0 else {
            throw BenchmarkError(.unavailable, "\(executable) cannot be started: \(String(cString: strerror(error)))")
        }
        return id
    }

    /// Its next line on standard output, without the end; nil when it ends, or the time does, before the line.
    func nextLine(within milliseconds: CInt) async -> String? {
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
    /// - Returns: what it wrote since the last line that was read.
    func remainingOutput() async -> [UInt8] {
        await Self.onOwnThread {
            var all: [UInt8] = []
            var bytes: [UInt8] = Array(repeating: 0, count: 4_096)
            while true {
                let count = read(self.output, &bytes, bytes.count)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return all }
                all += bytes[..<count]
            }
        }
    }

    /// Ends it: with SIGTERM unless it has been asked otherwise, then after a time with SIGKILL. Not to be called
    /// twice. It does not heed cancellation.
    @discardableResult
    func terminate(within milliseconds: Int, isAsked: Bool = false) async -> ProcessEnd {
        await Self.blocking {
            if !isAsked { kill(self.id, SIGTERM) }
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
            return ProcessEnd(status: status)
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

    /// For what lasts as long as the process does: the pool has no more threads than there are processors.
    private static func onOwnThread<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: body()) }
        }
    }

    private static func blocking<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
        await withCheckedContinuation { continuation in
            NIOThreadPool.singleton.submit { _ in continuation.resume(returning: body()) }
        }
    }
}
