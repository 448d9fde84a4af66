/// A scenario in which messages had their times, as text.
enum PacedReport {
    static func lines(_ record: PacedRecord, settings: BenchmarkRecord.Settings) -> [String] {
        let rows = record.transports.map { transport in
            let shown = record.scenario == .state ? transport.staleness : transport.age
            return (transport.transport.rawValue, shown.summary)
        }
        return [""] + Self.heading(record, settings) + [""] + Self.table(record) + [""] + PercentilePlot.lines(rows)
            + Self.remarks(record, settings)
    }

    private static func heading(_ record: PacedRecord, _ settings: BenchmarkRecord.Settings) -> [String] {
        let sessions = settings.connections == 1 ? "" : ", on each of \(settings.connections) sessions"
        let load = "\(Self.load(record.load)) of \(settings.size) bytes\(sessions)."
        let lines =
            switch record.scenario {
            case .headOfLine:
                [
                    "Head-of-line blocking:", load,
                    "The age of a message counts from when it was due until its echo is there. What",
                    "exceeds the shortest has been waited: also for messages of other sequences.",
                ]
            case .state:
                [
                    "State of which only the newest matters:", load,
                    "How old is the newest that has come back, looked at every millisecond? Fresh is",
                    "the share of messages that were newer, when they came, than all before.",
                ]
            case .latency, .handshake, .roundTrip:
                [
                    "Latency in an open loop:", load,
                    "The age of a message counts from when it was due until its echo is there: what",
                    "waits because others are late waits on.",
                ]
            }
        return lines + [
            "\(settings.rounds) interleaved rounds of \(Self.number(record.load.seconds)) s, on new sessions, after "
                + "\(Self.number(record.load.warmUpSeconds)) s that do not count."
        ]
    }

    /// `8 sequences, each 30 messages a second`.
    private static func load(_ load: PacedLoad) -> String {
        let rate = "\(Self.number(load.rate)) messages a second"
        return load.sequences == 1 ? rate : "\(load.sequences) sequences, each \(rate)"
    }

    private static func number(_ value: Double) -> String {
        value == value.rounded() ? "\(Int(value))" : "\(value)"
    }

    private static func table(_ record: PacedRecord) -> [String] {
        let isState = record.scenario == .state
        func shown(_ transport: PacedRecord.Transport) -> Summary {
            isState ? transport.staleness.summary : transport.age.summary
        }
        var table = TextTable(
            heading: ["transport", "sent", isState ? "fresh" : "lost", "p50", "p90", "p99", "max", "p99 to ws"]
        )
        let reference = record.transports.first { $0.transport == .webSocket }.map(shown)
        for transport in record.transports {
            let (age, summary) = (transport.age.summary, shown(transport))
            table.append(
                [transport.transport.rawValue, "\(age.count + age.lost)"]
                    + [isState ? DecimalFormat.wholePercent(transport.freshShare) : "\(age.lost)"]
                    + summary.durations([\.p50, \.p90, \.p99, \.max])
                    + [reference.flatMap { summary.ratio(to: $0, of: \.p99) }.map(DecimalFormat.ratio) ?? "–"]
            )
        }
        return table.lines
    }

    private static func remarks(_ record: PacedRecord, _ settings: BenchmarkRecord.Settings) -> [String] {
        let subject = record.scenario == .state ? "p99 of staleness" : "p99 of ages"
        var lines = ComparisonText.lines(subject, record.transports.map { ($0.transport.rawValue, $0.comparison) })
        if record.scenario != .state, record.transports.contains(where: { $0.age.summary.lost > 0 }) {
            lines.append("Lost: no echo within \(settings.patienceMilliseconds) ms of a turn's end; in no percentile.")
        }
        let lateness = record.transports.map(\.lateness.p99).max() ?? 0
        lines.append("The client began to send within \(DurationFormat.text(lateness)) of the time, 99 of 100 times.")
        return lines
    }
}
