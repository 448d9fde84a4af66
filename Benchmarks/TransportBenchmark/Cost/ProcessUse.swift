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
        guard let nanoseconds = Self.processorNanoseconds(of: id) else { return nil }
        self.processorNanoseconds = nanoseconds
        // proc(5): the status of a process counts the switches of its first thread alone.
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(id)/task")) ?? []
        self.contextSwitches = threads.reduce(0) { $0 + Self.contextSwitches(of: "/proc/\(id)/task/\($1)/status") }
    }

    /// Its clock alone; nil when there is no such process.
    static func processorNanoseconds(of id: pid_t) -> UInt64? {
        var clock = clockid_t()
        var time = timespec()
        // The C library takes zero, and numbers below, for this process.
        guard id > 0, clock_getcpuclockid(id, &clock) == 0, clock_gettime(clock, &time) == 0 else { return nil }
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    init(processorNanoseconds: UInt64, contextSwitches: UInt64) {
        self.processorNanoseconds = processorNanoseconds
        self.contextSwitches = contextSwitches
    }

    /// Of a process and all that it has started, and those have, that still run; of those that ended meanwhile nothing is
    /// known. nil when there is no such process.
    init?(ofFamily id: pid_t) {
        guard let own = ProcessUse(of: id) else { return nil }
        self = Self.descendants(of: id).compactMap(ProcessUse.init(of:)).reduce(own, +)
    }

    private static func descendants(of id: pid_t) -> [pid_t] {
        let all = ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { pid_t($0) }
        let children = Dictionary(grouping: all.compactMap { id in Self.parent(of: id).map { (id, $0) } }, by: \.1)
        var family: [pid_t] = []
        var next = [id]
        while let parent = next.popLast() {
            let ids = (children[parent] ?? []).map(\.0)
            family += ids
            next += ids
        }
        return family
    }

    /// proc_pid_stat(5): the name, in parentheses, may hold anything; the state and the parent follow it.
    private static func parent(of id: pid_t) -> pid_t? {
        // One that has ended meanwhile has no file.
        guard let text = try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        return fields.count > 1 ? pid_t(fields[1]) : nil
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
