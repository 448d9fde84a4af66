/// What messages or sessions have cost, as a table.
enum CostReport {
    /// - Parameters:
    ///   - unit: what was paid for, such as `message`.
    ///   - size: how many of what the costs count that is.
    ///   - costs: by the name of each transport; those that are not known say nothing.
    /// - Returns: nil when nothing is known.
    static func table(_ unit: String, of size: Double = 1, _ costs: [(name: String, cost: Cost?)]) -> TextTable? {
        let known = costs.compactMap { name, cost in cost.flatMap { $0.count > 0 ? (name, $0) : nil } }
        guard !known.isEmpty else { return nil }
        var table = TextTable(heading: [
            "cost of a \(unit)", "server", "switches", "client", "switches", "bytes", "packets",
        ])
        for (name, cost) in known {
            let each = { (value: UInt64) in Double(value) / Double(cost.count) * size }
            table.append(
                [name] + Self.cells(cost.server, each) + Self.cells(cost.client, each) + [
                    cost.wire.map { "\(UInt64(exactly: each($0.bytes).rounded()) ?? 0)" } ?? "–",
                    cost.wire.map { DecimalFormat.tenths(each($0.packets)) } ?? "–",
                ]
            )
        }
        return table
    }

    static let caption = "Processor time and context switches of both programs, and what was on the wire"

    /// Of a table that there may be.
    static func lines(_ table: TextTable?) -> [String] {
        table.map { ["", "\(Self.caption):"] + $0.lines } ?? []
    }

    private static func cells(_ use: ProcessUse?, _ each: (UInt64) -> Double) -> [String] {
        guard let use else { return ["–", "–"] }
        return [
            DurationFormat.text(UInt64(exactly: each(use.processorNanoseconds).rounded()) ?? 0),
            DecimalFormat.tenths(each(use.contextSwitches)),
        ]
    }
}
