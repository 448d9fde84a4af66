import Foundation
import Glibc

/// What a process has used since it began. The system tells everyone: nothing of it is measured by the process itself.
public struct ProcessUse: Sendable, Hashable, Codable {
    /// On processors, of all its threads, in nanoseconds.
    public var processorNanoseconds: UInt64
    /// How often its threads were put on a processor and taken off it. Of threads that have ended nothing is known.
    public var contextSwitches: UInt64

    /// - Returns: nil when there is no such process.
    init?(of id: pid_t) {
        var clock = clockid_t()
        var time = timespec()
        // The C library takes zero, and numbers below, for this process.
        guard id > 0, clock_getcpuclockid(id, &clock) == 0, clock_gettime(clock, &time) == 0 else { return nil }
        self.processorNanoseconds = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        // proc(5): the status of a process counts the switches of its first thread alone.
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(id)/task")) ?? []
        self.contextSwitches = threads.reduce(0) { $0 + Self.contextSwitches(of: "/proc/\(id)/task/\($1)/status") }
    }

    init(processorNanoseconds: UInt64, contextSwitches: UInt64) {
        self.processorNanoseconds = processorNanoseconds
        self.contextSwitches = contextSwitches
    }

    static let none = ProcessUse(processorNanoseconds: 0, contextSwitches: 0)

    /// What was used between two readings, or in two turns.
    static func - (later: Self, earlier: Self) -> Self {
        // Switches of a thread that has ended meanwhile are missing in the later reading.
        Self(
            processorNanoseconds: later.processorNanoseconds
                - min(later.processorNanoseconds, earlier.processorNanoseconds),
            contextSwitches: later.contextSwitches - min(later.contextSwitches, earlier.contextSwitches)
        )
    }

    static func + (one: Self, other: Self) -> Self {
        Self(
            processorNanoseconds: one.processorNanoseconds + other.processorNanoseconds,
            contextSwitches: one.contextSwitches + other.contextSwitches
        )
    }

    /// `voluntary_ctxt_switches` and `nonvoluntary_ctxt_switches`.
    private static func contextSwitches(of file: String) -> UInt64 {
        // A thread may end while it is looked at.
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return 0 }
        return text.split(separator: "\n").filter { $0.contains("ctxt_switches:") }.reduce(0) { sum, line in
            sum + (line.split(separator: ":").last.flatMap { UInt64($0.trimmingCharacters(in: .whitespaces)) } ?? 0)
        }
    }
}
