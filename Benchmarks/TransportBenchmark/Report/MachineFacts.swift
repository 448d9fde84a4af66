import Foundation
import NIOCore

/// What the measurement ran on.
public struct MachineFacts: Sendable, Hashable, Codable {
    /// The processor's model, such as `AMD EPYC 7763 64-Core Processor`.
    public var processor: String
    /// Logical processors that the system has.
    public var coreCount: Int
    /// The kernel's name and release.
    public var kernel: String
    public var memoryByteCount: UInt64

    /// Asks the system. What it does not tell is `unknown` or zero.
    public static func current() -> MachineFacts {
        let memory = Self.field("MemTotal", in: "/proc/meminfo")?.split(separator: " ").first.flatMap { UInt64($0) }
        return MachineFacts(
            processor: Self.field("model name", in: "/proc/cpuinfo") ?? "unknown processor",
            coreCount: System.coreCount,
            kernel: "Linux \(Self.firstLine(of: "/proc/sys/kernel/osrelease") ?? "of unknown release")",
            // The kernel counts in units of 1,024 bytes (proc_meminfo(5)).
            memoryByteCount: (memory ?? 0) * 1_024
        )
    }

    private static func firstLine(of file: String) -> String? {
        // A file that cannot be read is a fact that stays unknown.
        (try? String(contentsOfFile: file, encoding: .utf8))?.split(separator: "\n").first.map(String.init)
    }

    /// The value of the first line `name : value`.
    private static func field(_ name: String, in file: String) -> String? {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix(name) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            return line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
        }
        return nil
    }
}
