/// What was measured, as text for a terminal of 80 columns or more.
public struct BenchmarkReport: Sendable {
    private let record: BenchmarkRecord

    public init(_ record: BenchmarkRecord) {
        self.record = record
    }

    public var text: String {
        (self.heading + self.handshakes + self.roundTrips + self.paced + self.network + self.findings).joined(
            separator: "\n"
        ) + "\n"
    }

    /// The network, and what was found on it.
    public var findingsText: String {
        let objection = self.record.objection.map { ["", "Nothing is concluded: \($0)."] } ?? []
        return (["\(self.record.networkName)"] + objection + self.findings + [""]).joined(separator: "\n") + "\n"
    }

    private var findings: [String] {
        let findings = Findings(self.record).all
        guard !findings.isEmpty else { return [] }
        return ["", "What this shows:"]
            + findings.flatMap { finding -> [String] in
                let cause = finding.cause.map { ["A cause: \($0)."] } ?? []
                return ["", "\(finding.title)"]
                    + (finding.sentences + cause).flatMap { TextWrap.lines($0, first: "  ", next: "  ") }
            }
    }

    var heading: [String] {
        let machine = self.record.machine
        let server = self.record.settings.isOwnServer ? "its own server, in a second process" : "a server that runs"
        var lines = [
            "Target    \(self.record.settings.target), \(server)",
            "Client    \(self.record.client.program) \(self.record.client.version)",
            "Machine   \(machine.processor), \(machine.coreCount) cores; \(machine.kernel)",
        ]
        if let versions = self.record.versions {
            lines.append(
                "Versions  apus \(versions.apus), ngtcp2 \(versions.ngtcp2), nghttp3 \(versions.nghttp3), GnuTLS "
                    + versions.gnutls
            )
            if versions.build != "release" {
                lines.append("Build     not optimised: these figures say nothing; build with `swift build -c release`")
            }
        }
        if let plan = self.record.processors, plan != .none {
            let emulator = plan.emulator.isEmpty ? "" : ", emulator \(Self.list(plan.emulator))"
            let server = plan.server.isEmpty ? "" : ", server to \(Self.list(plan.server))"
            lines.append("Pinned    client to processor \(Self.list(plan.client))\(server)\(emulator)")
        }
        if self.record.noise == nil {
            lines.append("Noise     unknown: of the programs that take part not all are known")
        }
        if let noise = self.record.noise {
            lines.append(
                "Noise     others used \(DecimalFormat.hundredths(noise.otherCores)) of \(noise.coreCount) processors meanwhile"
            )
            if noise.objection != nil {
                lines.append(
                    self.record.settings.acceptsNoise
                        ? "          too many to compare anything; compared all the same, as asked"
                        : "          too many to compare anything: run it again on an idle machine, or with --allow-noise"
                )
            }
        }
        if self.record.isInterrupted { lines.append("Run       interrupted: this is what was measured until then") }
        return lines
    }

    private static func list(_ processors: [Int32]) -> String {
        processors.map(String.init).joined(separator: ",")
    }

    private var handshakes: [String] {
        guard !self.record.handshakes.isEmpty else { return [] }
        var lines = [
            "",
            "Time to a usable session: a new connection each time, one after the other,",
            "in one way after the other.",
        ]
        for measured in self.record.handshakes { lines.append("  \(measured.transport.rawValue): \(measured.counted)") }
        if self.record.isOfBrowser {
            lines.append("A browser resumes TLS sessions as it likes; a page can neither ask for it nor see it.")
        } else {
            let missing = SessionStart.allCases.filter { start in
                self.record.settings.transports.contains { $0.family == start.family }
                    && !self.record.handshakes.contains { $0.transport == start }
            }
            for start in missing { lines.append("  \(start.rawValue): the target does not resume these sessions") }
        }
        lines += [""] + self.starts(self.record.handshakes)
        lines += [
            "",
            "Time to the first echo: from the same beginning until \(self.record.settings.size) bytes have come back.",
        ]
        return lines + [""] + self.starts(self.record.firstEchoes)
            + CostReport.lines(self.startCost)
    }

    private func starts(_ measured: [BenchmarkRecord.Measured<SessionStart>]) -> [String] {
        let rows = measured.map { ($0.transport.rawValue, $0.summary) }
        let comparisons = measured.map { ($0.transport.rawValue, $0.comparison) }
        return Self.table(rows).lines + [""] + PercentilePlot.lines(rows)
            + ComparisonText.lines("median", comparisons, objection: self.record.objection)
    }

    private var roundTrips: [String] {
        guard !self.record.roundTrips.isEmpty else { return [] }
        let settings = self.record.settings
        let rows = self.record.roundTrips.map { ($0.transport.rawValue, $0.summary) }
        let sessions = settings.connections == 1 ? "1 session" : "\(settings.connections) sessions"
        var lines = [
            "",
            "Round trips of \(settings.size) bytes to the echo endpoint and back: \(sessions) of each",
            "transport, one message in flight on each; \(settings.rounds) interleaved rounds, after",
            "\(settings.warmUp) round trips of each session that do not count. Every echo was checked.",
            "",
        ]
        lines += Self.table(rows).lines + [""] + PercentilePlot.lines(rows) + [PercentilePlot.legend]
        lines += ComparisonText.lines(
            "median",
            self.record.roundTrips.map { ($0.transport.rawValue, $0.comparison) },
            objection: self.record.objection
        )
        if rows.contains(where: { $0.1.lost > 0 }) {
            lines.append(
                "Lost: no echo within \(settings.datagramTimeoutMilliseconds) ms; such datagrams are in no percentile."
            )
        }
        return lines + CostReport.lines(self.roundTripCost)
    }

    private var paced: [String] {
        self.record.paced.flatMap {
            PacedReport($0, settings: self.record.settings, objection: self.record.objection).lines
        }
    }

    private var network: [String] { self.record.network.map(NetworkReport.lines) ?? [] }

    var startCost: TextTable? {
        CostReport.table("session", self.record.handshakes.map { ($0.transport.rawValue, $0.cost) })
    }

    var roundTripCost: TextTable? {
        CostReport.table("message", self.record.roundTrips.map { ($0.transport.rawValue, $0.cost) })
    }

    static func table(_ rows: [(String, Summary)]) -> TextTable {
        let reference = rows.first { $0.0 == TransportKind.webSocket.rawValue }?.1
        var table = TextTable(
            heading: ["transport", "count", "lost", "p50", "p90", "p99", "max", "p50 to ws"]
        )
        for (name, summary) in rows {
            let ratio = reference.flatMap { summary.ratio(to: $0) }.map(DecimalFormat.ratio) ?? "–"
            let counts = ["\(summary.count)", "\(summary.lost)"]
            table.append([name] + counts + summary.durations([\.p50, \.p90, \.p99, \.max]) + [ratio])
        }
        return table
    }
}

extension Summary {
    /// For the cells of a table: dashes when nothing was measured.
    func durations(_ values: [KeyPath<Summary, UInt64>]) -> [String] {
        values.map { self.count == 0 ? "–" : DurationFormat.text(self[keyPath: $0]) }
    }
}
