import Foundation
import Glibc

/// Watches what others do on the processors of this process.
public struct NoiseMeter: Sendable {
    private let server: Int32?
    /// Those of this process at the beginning: its threads may keep to some of them later.
    private let processors: [Int32]
    private let begin: Reading

    private struct Reading: Sendable {
        var time: UInt64
        /// Of all processes, and of those that measure, in nanoseconds.
        var busy: UInt64
        var own: UInt64
        var stolen: UInt64
    }

    /// Begins to watch.
    /// - Parameter server: a process that has a part in the measurement, beside this one and its children.
    /// - Returns: nil when the system does not tell.
    public init?(server: Int32? = nil) {
        let processors = ProcessorPlan.available
        guard let reading = Self.read(processors, server) else { return nil }
        self.processors = processors
        self.server = server
        self.begin = reading
    }

    /// What others did since the beginning. Children of this process must have ended.
    public func noise() -> Noise? {
        guard let end = Self.read(self.processors, self.server) else { return nil }
        let (busy, own) = (end.busy - min(end.busy, self.begin.busy), end.own - min(end.own, self.begin.own))
        return Noise(
            elapsed: end.time - self.begin.time,
            coreCount: self.processors.count,
            // Clocks of 10 ms are compared with finer ones.
            others: busy - min(busy, own),
            stolen: end.stolen - min(end.stolen, self.begin.stolen)
        )
    }

    private static func read(_ processors: [Int32], _ server: Int32?) -> Reading? {
        guard let text = try? String(contentsOfFile: "/proc/stat", encoding: .utf8) else { return nil }
        guard let times = Self.times(of: processors, in: text) else { return nil }
        var clock = timespec()
        clock_gettime(CLOCK_MONOTONIC, &clock)
        return Reading(
            time: UInt64(clock.tv_sec) * 1_000_000_000 + UInt64(clock.tv_nsec),
            busy: times.busy,
            own: Self.use(.init(RUSAGE_SELF.rawValue)) + Self.use(.init(RUSAGE_CHILDREN.rawValue))
                + (server.flatMap { ProcessUse(of: $0) }?.processorNanoseconds ?? 0),
            stolen: times.stolen
        )
    }

    /// - Parameter text: the content of /proc/stat (proc(5)): of each processor the ticks in which it ran programs, those
    ///   of lower priority, the kernel for them, nothing, nothing but waited for a disk, interrupts, their second halves,
    ///   and in which the host took it away.
    /// - Returns: nanoseconds of those processors together; nil when one of them is missing.
    static func times(of processors: [Int32], in text: String) -> (busy: UInt64, stolen: UInt64)? {
        let tick = 1_000_000_000 / UInt64(sysconf(CInt(_SC_CLK_TCK)))
        let lines = text.split(separator: "\n")
        var sum: (busy: UInt64, stolen: UInt64) = (0, 0)
        for processor in processors {
            let numbers = lines.first { $0.hasPrefix("cpu\(processor) ") }?.split(separator: " ").compactMap {
                UInt64($0)
            }
            guard let numbers, numbers.count >= 8 else { return nil }
            // Interrupts are left out: those of the measurement's own packets are among them.
            sum.busy += (numbers[0] + numbers[1] + numbers[2]) * tick
            sum.stolen += numbers[7] * tick
        }
        return sum
    }

    private static func use(_ who: __rusage_who_t) -> UInt64 {
        var use = rusage()
        getrusage(who, &use)
        return Self.nanoseconds(use.ru_utime) + Self.nanoseconds(use.ru_stime)
    }

    private static func nanoseconds(_ time: timeval) -> UInt64 {
        UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_usec) * 1_000
    }
}
