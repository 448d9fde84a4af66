import Foundation

/// What has passed through a network device since it came up, in both directions.
public struct WireUse: Sendable, Hashable, Codable {
    /// With the headers of IP, and of the link if it has any.
    public var bytes: UInt64
    /// On a loopback device a packet may be as large as 64 KiB, and what is segmented later counts as one.
    public var packets: UInt64

    /// - Parameter device: of the network namespace of this process.
    /// - Returns: nil when there is no such device.
    init?(of device: String) {
        guard let text = try? String(contentsOfFile: "/proc/net/dev", encoding: .utf8) else { return nil }
        self.init(of: device, in: text)
    }

    /// - Parameter text: the content of /proc/net/dev (proc(5)): eight numbers of what was received, then eight of what
    ///   was sent, bytes and packets first.
    init?(of device: String, in text: String) {
        let line = text.split(separator: "\n").first { $0.drop { $0 == " " }.hasPrefix("\(device):") }
        let numbers = line?.split(separator: ":").last?.split(separator: " ").compactMap { UInt64($0) } ?? []
        guard numbers.count >= 10 else { return nil }
        // What a loopback device sends, it receives.
        let directions = device == Self.loopback ? [0] : [0, 8]
        self.init(
            bytes: directions.reduce(0) { $0 + numbers[$1] },
            packets: directions.reduce(0) { $0 + numbers[$1 + 1] }
        )
    }

    init(bytes: UInt64, packets: UInt64) {
        self.bytes = bytes
        self.packets = packets
    }

    static let loopback = "lo"
    static let none = WireUse(bytes: 0, packets: 0)

    static func - (later: Self, earlier: Self) -> Self {
        Self(bytes: later.bytes &- earlier.bytes, packets: later.packets &- earlier.packets)
    }

    static func + (one: Self, other: Self) -> Self {
        Self(bytes: one.bytes + other.bytes, packets: one.packets + other.packets)
    }
}
