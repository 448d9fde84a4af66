/// Measurements as lines of comma-separated values (RFC 4180), one for each distribution, for spreadsheets.
public struct CSVReport: Sendable {
    private let records: [BenchmarkRecord]

    public init(_ records: [BenchmarkRecord]) {
        self.records = records
    }

    private static let heading = [
        "date", "network", "client", "scenario", "transport", "measure", "count", "lost", "min_ns", "p50_ns", "p90_ns",
        "p99_ns",
        "p999_ns", "max_ns", "mean_ns", "to_ws", "to_ws_low", "to_ws_high",
    ]

    public var text: String {
        ([Self.heading] + self.records.flatMap(Self.rows)).map { $0.map(Self.field).joined(separator: ",") + "\r\n" }
            .joined()
    }

    private static func rows(_ record: BenchmarkRecord) -> [[String]] {
        func row(
            _ scenario: Scenario,
            _ transport: String,
            _ measure: String,
            _ summary: Summary,
            _ comparison: RatioInterval?
        ) -> [String] {
            [record.date, record.networkName, record.client.program, scenario.rawValue, transport, measure]
                + [
                    summary.count, summary.lost, summary.min, summary.p50, summary.p90, summary.p99, summary.p999,
                    summary.max,
                ]
                .map { "\($0)" } + ["\(summary.mean)"]
                + [comparison?.ratio, comparison?.low, comparison?.high].map { $0.map { "\($0)" } ?? "" }
        }
        return record.handshakes.map { row(.handshake, $0.transport.rawValue, "session", $0.summary, $0.comparison) }
            + record.firstEchoes.map { row(.handshake, $0.transport.rawValue, "first-echo", $0.summary, $0.comparison) }
            + record.roundTrips.map { row(.roundTrip, $0.transport.rawValue, "round-trip", $0.summary, $0.comparison) }
            + record.paced.flatMap { paced in
                paced.transports.flatMap { transport in
                    let (name, isState) = (transport.transport.rawValue, paced.scenario == .state)
                    let comparison = transport.comparison
                    return [
                        row(paced.scenario, name, "age", transport.age.summary, isState ? nil : comparison),
                        row(paced.scenario, name, "staleness", transport.staleness.summary, isState ? comparison : nil),
                    ] + (transport.quietAge.map { [row(paced.scenario, name, "quiet-age", $0.summary, nil)] } ?? [])
                }
            }
    }

    /// RFC 4180 § 2: quoted where it holds what separates. A spreadsheet takes a field that begins so for a formula.
    private static func field(_ text: String) -> String {
        let isFormula = text.first.map { "=+@".contains($0) } ?? false
        guard isFormula || text.unicodeScalars.contains(where: { ",\"\r\n".unicodeScalars.contains($0) }) else {
            return text
        }
        return "\"\(isFormula ? "'" : "")\(text.replacing("\"", with: "\"\""))\""
    }
}
