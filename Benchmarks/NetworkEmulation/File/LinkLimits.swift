/// What a link of a file may be. Beyond these bounds no packet network is, and nothing of the emulator was tested.
enum LinkLimits {
    static let delayMilliseconds = 0.0...10_000
    /// Below a microsecond a state would change more often than packets come.
    static let stateMilliseconds = 0.001...3_600_000
    static let probability = 0.0...1
    static let bandwidthMegabits = 0.001...100_000
    /// At 1,500 bytes each, the largest needs 150 MB.
    static let queuePackets = 1...100_000
    /// QUIC needs packets of 1,200 bytes, IPv6 of 1,280; no IPv4 packet is larger than 65,535.
    static let mtu = 1_280...65_535
    static let traceMilliseconds = 0.0...86_400_000
    static let tracePeriodSeconds = 0.001...86_400
    static let traceRows = 10_000
    static let nameBytes = 64
    static let pathBytes = 4_096
    /// A hundred times what all fields need.
    static let networkFileBytes = 1 << 17
    /// A hundred bytes for each row.
    static let traceFileBytes = 1_000_000
}

extension Int64 {
    /// A duration in nanoseconds. The limits above keep it in bounds.
    init(milliseconds: Double) { self.init((milliseconds * 1e6).rounded()) }

    /// A bandwidth in bits a second.
    init(megabits: Double) { self.init((megabits * 1e6).rounded()) }
}
