import NetworkModel

/// One measurement on the page: what it shows, then each scenario with its figures, then how it was measured.
struct HTMLSection {
    private let record: BenchmarkRecord
    private let id: String

    init(_ record: BenchmarkRecord, id: String) {
        self.record = record
        self.id = id
    }

    var html: String {
        ([self.heading, self.findings] + self.starts + self.roundTrips + self.record.paced.map(self.paced)
            + self.network)
            .joined(separator: "\n")
    }

    private var heading: String {
        """
        <h2 id="\(self.id)">\(HTMLText.escape(self.record.networkName))</h2>
        <details><summary>How it was measured</summary><pre>\(
            HTMLText.escape(BenchmarkReport(self.record).heading.joined(separator: "\n"))
        )</pre></details>
        """
    }

    private var findings: String {
        if let objection = self.record.objection {
            return "<p class=\"warning\">Nothing is concluded: \(HTMLText.escape(objection)).</p>"
        }
        let findings = Findings(self.record).all
        guard !findings.isEmpty else {
            return """
                <p>Nothing is compared: it takes a WebSocket beside other transports, and \(RatioInterval.leastRounds) rounds.</p>
                """
        }
        let items = findings.map { finding in
            let cause = finding.cause.map { " <span class=\"cause\">A cause: \(HTMLText.escape($0)).</span>" } ?? ""
            let text = finding.sentences.map(HTMLText.escape).joined(separator: " ")
            return "<dt>\(HTMLText.escape(finding.title))</dt><dd>\(text)\(cause)</dd>"
        }
        return "<section class=\"findings\"><h3>What this shows</h3><dl>\(items.joined(separator: "\n"))</dl></section>"
    }

    // MARK: Scenarios

    private var starts: [String] {
        guard !self.record.handshakes.isEmpty else { return [] }
        return [
            "<h3>Beginning a session</h3>",
            Self.distribution("Time to a usable session", self.record.handshakes),
            Self.distribution("Time to the first echo", self.record.firstEchoes),
            BenchmarkReport(self.record).startCost?.html(CostReport.caption) ?? "",
        ]
    }

    private var roundTrips: [String] {
        guard !self.record.roundTrips.isEmpty else { return [] }
        return [
            "<h3>One message after the other</h3>",
            Self.distribution("Round trips of \(self.record.settings.size) bytes", self.record.roundTrips),
            Self.turns("Median of each turn", self.record.roundTrips.map { ($0.transport.rawValue, $0.turnMedians) }),
            BenchmarkReport(self.record).roundTripCost?.html(CostReport.caption) ?? "",
        ]
    }

    private func paced(_ paced: PacedRecord) -> String {
        let report = PacedReport(paced, settings: self.record.settings, objection: self.record.objection)
        let isState = paced.scenario == .state
        let what = isState ? "Staleness, looked at every millisecond" : "Age of messages when their echoes had come"
        let curves = paced.transports.map {
            PercentileCurve.make($0.transport.rawValue, (isState ? $0.staleness : $0.age).histogram)
        }
        return [
            "<h3>\(HTMLText.escape(Findings.title(paced.scenario)))</h3>",
            "<p>\(HTMLText.escape(report.heading.dropFirst().joined(separator: " ")))</p>",
            report.table.html(what),
            Self.percentiles(what, curves),
            Self.timelines(paced),
            Self.turns(
                "Median age of each turn",
                paced.transports.map { ($0.transport.rawValue, $0.turnMedians) }
            ),
            report.cost?.html(CostReport.caption) ?? "",
        ].joined(separator: "\n")
    }

    private static func distribution(
        _ title: String,
        _ measured: [BenchmarkRecord.Measured<some RawRepresentable<String> & Sendable & Hashable & Codable>]
    ) -> String {
        BenchmarkReport.table(measured.map { ($0.transport.rawValue, $0.summary) }).html(title)
            + Self.percentiles(title, measured.map { PercentileCurve.make($0.transport.rawValue, $0.histogram) })
    }

    // MARK: Plots

    private static func percentiles(_ title: String, _ curves: [LinePlot.Curve]) -> String {
        LinePlot(
            title: "\(title): what so many are within",
            horizontal: "share, each nine as wide as the one before",
            marks: PercentileCurve.marks,
            curves: curves
        ).html ?? ""
    }

    /// Whether the machine drifted, and how much turns differ.
    private static func turns(_ title: String, _ turns: [(name: String, medians: [UInt64])]) -> String {
        let count = turns.map(\.medians.count).max() ?? 0
        guard count > 1 else { return "" }
        let position = { (turn: Int) in Double(turn) / Double(count - 1) }
        let step = max(1, count / 10)
        return LinePlot(
            title: title,
            horizontal: "turn, in the order measured",
            marks: stride(from: 0, to: count, by: step).map { .init(x: position($0), text: "\($0 + 1)") },
            curves: turns.map { name, medians in
                .init(name: name, points: medians.enumerated().map { (position($0), $1) })
            }
        ).html ?? ""
    }

    /// Each message of one turn: what a lost packet held up is a ramp, what nothing held up a row.
    private static func timelines(_ paced: PacedRecord) -> String {
        let timelines = paced.transports.compactMap { transport in
            transport.timeline.map { (transport.transport.rawValue, $0) }
        }
        guard let end = timelines.compactMap(\.1.due.last).max(), end > 0 else { return "" }
        let seconds = Double(end) / 1e9
        let step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 60, 600].first { seconds / $0 <= 8 } ?? 3_600
        return LinePlot(
            title: "Each message of the last turn, when it was due and how old it was",
            horizontal: "seconds",
            marks: stride(from: 0, through: seconds, by: step).map {
                .init(x: $0 / seconds, text: step < 1 ? DecimalFormat.tenths($0) : "\(Int($0.rounded()))")
            },
            curves: timelines.map { name, timeline in
                .init(
                    name: name,
                    points: zip(timeline.due, timeline.ages).map { (Double($0) / Double(end), $1) },
                    style: .dots
                )
            }
        ).html ?? ""
    }

    private var network: [String] {
        guard let network = self.record.network else { return [] }
        let text = NetworkReport.remarks(network) + NetworkReport.accuracy(network.report)
        return [
            "<h3>The network \(HTMLText.escape(network.network.name)), emulated, seed \(network.seed)</h3>",
            NetworkReport.configuration(network).html("Configured; up is from the client to the server"),
            NetworkReport.observation(network).html("Observed, over the whole run"),
            "<pre>\(HTMLText.escape(text.joined(separator: "\n")))</pre>",
        ]
    }
}
