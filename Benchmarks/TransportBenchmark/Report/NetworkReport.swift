import NetworkEmulation
import NetworkModel

/// An emulated network as text: what was configured beside what was observed, and how precise the emulator was.
enum NetworkReport {
    static func lines(_ record: NetworkRecord) -> [String] {
        [
            "",
            "Network \(record.network.name), emulated, seed \(record.seed): all IPv4 packets of all transports, from the",
            "start of the server to the end of the client. Up is from the client to the server.",
            "",
        ] + Self.configuration(record).lines + Self.remarks(record) + [""] + Self.observation(record).lines
            + Self.losses(record) + [""] + Self.accuracy(record.report)
    }

    static func configuration(_ record: NetworkRecord) -> TextTable {
        var table = TextTable(heading: ["configured", "delay", "jitter", "loss", "bandwidth", "queue", "mtu"])
        for direction in Direction.allCases {
            let link = record.network[direction]
            table.append([
                direction.rawValue, Self.duration(link.conditions.delay), "±\(Self.duration(link.conditions.jitter))",
                Self.loss(link.conditions.loss), link.conditions.bandwidth.map(Self.bandwidth) ?? "–",
                link.conditions.bandwidth == nil ? "–" : "\(link.queue)", "\(link.mtu)",
            ])
        }
        return table
    }

    static func remarks(_ record: NetworkRecord) -> [String] {
        var lines: [String] = []
        let isBursty = Direction.allCases.contains { direction in
            guard case .bursty(let model) = record.network[direction].conditions.loss else { return false }
            if case .withPackets = model.change { return true }
            return false
        }
        if isBursty {
            lines.append("Bursts last for so many packets, not for a time: who falls silent stays in one.")
        }
        let traced = Direction.allCases.filter { record.network[$0].trace != nil }.map(\.rawValue)
        if !traced.isEmpty { lines.append("A trace changes these with time: \(traced.joined(separator: " and ")).") }
        return lines
    }

    static func observation(_ record: NetworkRecord) -> TextTable {
        var table = TextTable(
            heading: ["observed", "packets", "lost", "loss", "dropped", "reordered", "queue", "delay p50", "p99"]
        )
        for direction in Direction.allCases {
            let report = record.report[direction]
            let counts = report.counts
            table.append([
                direction.rawValue, "\(counts.packets)", "\(counts.lost)", DecimalFormat.percent(report.observedLoss),
                "\(counts.dropped)", "\(counts.reordered)", "\(counts.largestQueue)",
                DurationFormat.text(report.delay.p50), DurationFormat.text(report.delay.p99),
            ])
        }
        return table
    }

    private static func losses(_ record: NetworkRecord) -> [String] {
        let undeliverable = Direction.allCases.reduce(0) { $0 + record.report[$1].undeliverable }
        return undeliverable > 0 ? ["\(undeliverable) packets were not taken by the kernel of the other end."] : []
    }

    static func accuracy(_ report: EmulationReport) -> [String] {
        ["The emulator's own error, from when a packet was due until it was delivered:"]
            + Direction.allCases.map { direction in
                let lateness = report[direction].lateness
                let values = [lateness.p50, lateness.p90, lateness.p99, lateness.max].map(DurationFormat.text)
                return "  \(direction.rawValue): p50 \(values[0]), p90 \(values[1]), p99 \(values[2]), max \(values[3])"
            }
    }

    private static func duration(_ nanoseconds: Int64) -> String { DurationFormat.text(UInt64(nanoseconds)) }

    private static func loss(_ loss: Loss) -> String {
        switch loss {
        case .independent(let probability): DecimalFormat.percent(probability)
        case .bursty(let model):
            "\(DecimalFormat.percent(loss.average)) in bursts of \(Self.burst(model.change))"
        }
    }

    /// How long the bad state lasts, on average: in packets, or a time.
    private static func burst(_ change: GilbertElliott.Change) -> String {
        switch change {
        case .withPackets(_, let badToGood): Self.tenths(1 / badToGood)
        case .overTime(_, let bad): DurationFormat.short(UInt64(bad))
        }
    }

    /// As configured, in full: `0.75 Mbit/s`.
    private static func bandwidth(_ bits: Int64) -> String {
        let (unit, name) = bits >= 1_000_000_000 ? (1e9, "Gbit/s") : (1e6, "Mbit/s")
        let value = Double(bits) / unit
        return value.rounded() == value ? "\(Int(value)) \(name)" : "\(value) \(name)"
    }

    /// One digit after the point, or none.
    private static func tenths(_ value: Double) -> String {
        // A state that never ends has no length.
        guard value.isFinite else { return "∞" }
        let tenths = Int((value * 10).rounded())
        return tenths.isMultiple(of: 10) ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }
}
