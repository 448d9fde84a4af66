import NetworkModel

/// Two measurements of the same things compared, such as before and after a change.
public struct RecordDifference: Sendable {
    private let (before, after): (BenchmarkRecord, BenchmarkRecord)

    public init(from before: BenchmarkRecord, to after: BenchmarkRecord) {
        (self.before, self.after) = (before, after)
    }

    /// For a terminal of 80 columns or more.
    public var text: String {
        var lines = ["Before    \(Self.title(self.before))", "After     \(Self.title(self.after))"]
        lines += self.warnings.map { "Warning   \($0)" }
        let isCalled = self.before.objection == nil && self.after.objection == nil
        let rows = self.rows.map { row in
            var row = row
            row.isCalled = isCalled
            return row
        }
        guard !rows.isEmpty else {
            return (lines + ["", "They have measured nothing in common."]).joined(separator: "\n") + "\n"
        }
        var table = TextTable(heading: ["scenario and transport", "before", "after", "ratio", "95 %", ""])
        for row in rows { table.append(row.cells) }
        lines += ["", "Medians, of ages where messages had their times:", ""] + table.lines
        if rows.contains(where: { $0.interval == nil }) {
            lines.append("–: it takes \(RatioInterval.leastRounds) turns of each to know their spread.")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func title(_ record: BenchmarkRecord) -> String {
        "\(record.date), \(record.networkName), \(record.client.program) \(record.versions?.apus ?? "")"
    }

    /// What makes figures differ beside what was changed.
    private var warnings: [String] {
        let (one, other) = (self.before, self.after)
        let differences: [(String, Bool)] = [
            ("the machines differ: times of different machines do not compare", one.machine != other.machine),
            (
                "the networks differ",
                one.network?.network != other.network?.network || one.network?.seed != other.network?.seed
            ),
            ("one is of an optimised build, the other is not", one.versions?.build != other.versions?.build),
            ("the clients differ", one.client.program != other.client.program),
            ("one measured its own server, the other a target", one.settings.isOwnServer != other.settings.isOwnServer),
            ("sessions were warmed up differently", one.settings.warmUp != other.settings.warmUp),
            ("messages have different sizes", one.settings.size != other.settings.size),
            ("there are different numbers of sessions", one.settings.connections != other.settings.connections),
            ("one client kept to its processor, the other did not", one.processors != other.processors),
        ]
        let objections = [("before", one), ("after", other)].compactMap { name, record in
            record.objection.map { "\(name): \($0)" }
        }
        return differences.filter(\.1).map(\.0) + objections
    }

    private struct Row {
        var scenario: String
        var transport: String
        var before: Summary
        var after: Summary
        var interval: RatioInterval?
        /// Whether both machines were idle enough to call a difference.
        var isCalled = true

        var cells: [String] {
            let word =
                switch self.isCalled ? self.interval?.verdict : nil {
                case .less: "shorter"
                case .more: "longer"
                case .undecided, nil: ""
                }
            return [
                "\(self.scenario) \(self.transport)", self.before.durations([\.p50])[0],
                self.after.durations([\.p50])[0],
                self.after.ratio(to: self.before).map(DecimalFormat.ratio) ?? "–",
                self.interval.map { "\(DecimalFormat.hundredths($0.low)) to \(DecimalFormat.hundredths($0.high))" }
                    ?? "–", word,
            ]
        }
    }

    private var rows: [Row] {
        Self.rows(.handshake, self.before.handshakes, self.after.handshakes)
            + Self.rows(.roundTrip, self.before.roundTrips, self.after.roundTrips)
            + self.before.paced.flatMap { before in
                self.after.paced.filter { $0.scenario == before.scenario && $0.load == before.load }.flatMap { after in
                    before.transports.compactMap { one in
                        after.transports.first { $0.transport == one.transport }.map { other in
                            Row(
                                scenario: before.scenario.rawValue,
                                transport: one.transport.rawValue,
                                before: one.age.summary,
                                after: other.age.summary,
                                interval: RatioInterval(of: other.turnMedians, toUnrelated: one.turnMedians)
                            )
                        }
                    }
                }
            }
    }

    private static func rows<Transport: RawRepresentable<String>>(
        _ scenario: Scenario,
        _ before: [BenchmarkRecord.Measured<Transport>],
        _ after: [BenchmarkRecord.Measured<Transport>]
    ) -> [Row] {
        before.compactMap { one in
            after.first { $0.transport == one.transport }.map { other in
                Row(
                    scenario: scenario.rawValue,
                    transport: one.transport.rawValue,
                    before: one.summary,
                    after: other.summary,
                    interval: RatioInterval(of: other.turnMedians, toUnrelated: one.turnMedians)
                )
            }
        }
    }
}
