/// What was measured, as text for a terminal of 80 columns or more.
public struct BenchmarkReport: Sendable {
    private let record: BenchmarkRecord

    public init(_ record: BenchmarkRecord) {
        self.record = record
    }

    public var text: String {
        (self.heading + self.handshakes + self.roundTrips + self.network).joined(separator: "\n") + "\n"
    }

    private var heading: [String] {
        let (machine, versions) = (self.record.machine, self.record.versions)
        let server = self.record.settings.isOwnServer ? "its own server, in a second process" : "a server that runs"
        var lines = [
            "Target    \(self.record.settings.target), \(server)",
            "Machine   \(machine.processor), \(machine.coreCount) cores; \(machine.kernel)",
            "Versions  apus \(versions.apus), ngtcp2 \(versions.ngtcp2), nghttp3 \(versions.nghttp3), GnuTLS "
                + versions.gnutls,
        ]
        if versions.build != "release" {
            lines.append("Build     not optimised: these figures say nothing; build with `swift build -c release`")
        }
        return lines
    }

    private var handshakes: [String] {
        guard !self.record.handshakes.isEmpty else { return [] }
        let rows = self.record.handshakes.map { ($0.transport.rawValue, $0.summary) }
        var lines = [
            "",
            "Time to a usable session: a new connection each time, one after the other,",
            "the kinds in turn.",
        ]
        for measured in self.record.handshakes { lines.append("  \(measured.transport.rawValue): \(measured.counted)") }
        lines.append("  Neither resumes a TLS session, and neither sends early data.")
        return lines + [""] + Self.table(rows) + [""] + PercentilePlot.lines(rows)
    }

    private var roundTrips: [String] {
        let settings = self.record.settings
        let rows = self.record.roundTrips.map { ($0.transport.rawValue, $0.summary) }
        let sessions = settings.connections == 1 ? "1 session" : "\(settings.connections) sessions"
        var lines = [
            "",
            "Round trips of \(settings.size) bytes to the echo endpoint and back: \(sessions) of each",
            "transport, one message in flight on each; \(settings.rounds) interleaved rounds after a warm-up of",
            "\(settings.warmUp) round trips a session. Every echo was checked.",
            "",
        ]
        lines += Self.table(rows) + [""] + PercentilePlot.lines(rows) + [PercentilePlot.legend]
        if rows.contains(where: { $0.1.lost > 0 }) {
            lines.append(
                "Lost: no echo within \(settings.datagramTimeoutMilliseconds) ms; such datagrams are in no percentile."
            )
        }
        return lines
    }

    private var network: [String] { self.record.network.map(NetworkReport.lines) ?? [] }

    private static func table(_ rows: [(String, Summary)]) -> [String] {
        let reference = rows.first { $0.0 == TransportKind.webSocket.rawValue }?.1
        var table = TextTable(
            heading: ["transport", "count", "lost", "p50", "p90", "p99", "max", "p50 to ws"]
        )
        for (name, summary) in rows {
            let durations =
                summary.count == 0
                ? ["–", "–", "–", "–"]
                : [summary.p50, summary.p90, summary.p99, summary.max].map(DurationFormat.text)
            let ratio = reference.flatMap { summary.ratio(to: $0) }.map(Self.ratio) ?? "–"
            table.append([name, "\(summary.count)", "\(summary.lost)"] + durations + [ratio])
        }
        return table.lines
    }

    /// `0.87×`.
    private static func ratio(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)×"
    }
}
