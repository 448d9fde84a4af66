import Glibc

/// Reads what both ends and the network have used, from outside.
struct CostMeter: Sendable {
    /// The client's process, whose children count, too; nil for this one alone.
    var client: pid_t?
    /// The server's process, on this machine.
    let server: pid_t?
    /// The network device on the way to it.
    let device: String?

    struct Reading: Sendable {
        fileprivate var client: ProcessUse?
        fileprivate var server: ProcessUse?
        fileprivate var wire: WireUse?
    }

    /// Reading takes time of the client's own: at the beginning of an interval its clock is read last, at the end first.
    func read() -> Reading {
        var reading = self.readAll()
        if self.client == nil, let now = ProcessUse.processorNanoseconds(of: getpid()) {
            reading.client?.processorNanoseconds = now
        }
        return reading
    }

    private func readAll() -> Reading {
        Reading(
            client: self.client.flatMap { ProcessUse(ofFamily: $0) } ?? ProcessUse(of: getpid()),
            server: self.server.flatMap { ProcessUse(of: $0) },
            wire: self.device.flatMap { WireUse(of: $0) }
        )
    }

    /// What was spent since a reading.
    func cost(of count: Int, since begin: Reading) -> Cost {
        let end = self.readAll()
        return Cost(
            count: UInt64(count),
            client: Self.difference(end.client, begin.client, -) ?? .none,
            server: Self.difference(end.server, begin.server, -),
            wire: Self.difference(end.wire, begin.wire, -)
        )
    }

    private static func difference<Value>(_ end: Value?, _ begin: Value?, _ minus: (Value, Value) -> Value) -> Value? {
        guard let end, let begin else { return nil }
        return minus(end, begin)
    }
}
