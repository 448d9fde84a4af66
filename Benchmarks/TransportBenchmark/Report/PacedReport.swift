/// A scenario in which messages had their times, as text.
struct PacedReport {
    private let record: PacedRecord
    private let settings: BenchmarkRecord.Settings
    /// Why nothing may be concluded; nil when something may.
    private let objection: String?

    init(_ record: PacedRecord, settings: BenchmarkRecord.Settings, objection: String?) {
        self.record = record
        self.settings = settings
        self.objection = objection
    }

    var lines: [String] {
        let rows = self.record.transports.map { ($0.transport.rawValue, self.shown($0)) }
        return [""] + self.heading + [""] + self.table.lines + [""] + PercentilePlot.lines(rows) + self.remarks
            + CostReport.lines(self.cost)
    }

    /// What the scenario is about.
    func shown(_ transport: PacedRecord.Transport) -> Summary {
        self.record.scenario == .state ? transport.staleness.summary : transport.age.summary
    }

    var heading: [String] {
        let (record, settings) = (self.record, self.settings)
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
            case .throughput:
                [
                    "Throughput, and what it does to messages on the same session:", load,
                    "Beside them \(Self.number(Double(record.load.bulkSize ?? 0) / 1_024)) KiB at a time go there and back as fast as they can: on",
                    "the same WebSocket, on the one stream, else on a stream of their own. Quiet is",
                    "the age of messages in a turn without them.",
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

    var table: TextTable {
        let columns = self.columns
        var table = TextTable(heading: ["transport"] + columns.map(\.heading))
        for transport in self.record.transports {
            table.append([transport.transport.rawValue] + columns.map { $0.cell(transport) })
        }
        return table
    }

    private typealias Column = (heading: String, cell: (PacedRecord.Transport) -> String)

    private var columns: [Column] {
        let sent: Column = ("sent", { "\($0.age.summary.count + $0.age.summary.lost)" })
        let lost: Column = ("lost", { "\($0.age.summary.lost)" })
        let times: [Column] = [("p50", \Summary.p50), ("p90", \.p90), ("p99", \.p99), ("max", \.max)].map {
            name,
            path in
            (name, { self.shown($0).durations([path])[0] })
        }
        let tail: Column = (
            "p99 to ws",
            { transport in
                self.reference.flatMap { self.shown(transport).ratio(to: self.shown($0), of: \.p99) }
                    .map(DecimalFormat.ratio) ?? "–"
            }
        )
        switch self.record.scenario {
        case .state: return [sent, ("fresh", { DecimalFormat.wholePercent($0.freshShare) })] + times + [tail]
        case .throughput:
            let rate: Column = ("MB/s", { DecimalFormat.tenths($0.medianRate / 1e6) })
            let quiet: Column = ("quiet p50", { $0.quietAge?.summary.durations([\.p50])[0] ?? "–" })
            let ratio: Column = (
                "MB/s to ws",
                { transport in
                    self.reference.flatMap { $0.medianRate > 0 ? transport.medianRate / $0.medianRate : nil }
                        .map(DecimalFormat.ratio) ?? "–"
                }
            )
            return [rate, quiet, times[0], times[2], lost, ratio]
        case .latency, .headOfLine, .handshake, .roundTrip: return [sent, lost] + times + [tail]
        }
    }

    private var reference: PacedRecord.Transport? { self.record.transports.first { $0.transport == .webSocket } }

    private var remarks: [String] {
        let record = self.record
        let subject =
            switch record.scenario {
            case .state: "p99 of staleness in a turn"
            case .throughput: "median age in a turn"
            case .latency, .headOfLine, .handshake, .roundTrip: "p99 of ages in a turn"
            }
        var lines = ComparisonText.lines(
            subject,
            record.transports.map { ($0.transport.rawValue, $0.comparison) },
            objection: self.objection
        )
        if record.scenario == .throughput {
            lines += ComparisonText.lines(
                "bytes a second",
                record.transports.map { ($0.transport.rawValue, $0.rateComparison) },
                words: ("less", "more"),
                objection: self.objection
            )
        }
        if record.scenario != .state, record.transports.contains(where: { $0.age.summary.lost > 0 }) {
            lines += [
                "Lost: no echo within \(self.patience) ms of a turn's end. They are in no percentile of the",
                "table; where turns are compared they are older than all that came back.",
            ]
        }
        let lateness = record.transports.map(\.lateness.p99).max() ?? 0
        lines.append("The client began to send within \(DurationFormat.text(lateness)) of the time, 99 of 100 times.")
        return lines
    }

    var cost: TextTable? {
        let costs = self.record.transports.map { ($0.transport.rawValue, $0.cost) }
        return self.record.load.bulkSize == nil
            ? CostReport.table("message", costs) : CostReport.table("MB", of: 1e6, costs)
    }

    private var patience: Int64 {
        let milliseconds = self.settings.patienceMilliseconds
        return self.record.load.bulkSize == nil ? milliseconds : milliseconds * BenchmarkSettings.bulkPatience
    }
}

extension PacedRecord.Transport {
    /// Bytes a second of the bulk transfer, in the middle one of the turns.
    var medianRate: Double {
        guard !self.turnRates.isEmpty else { return 0 }
        return Double(self.turnRates.sorted()[self.turnRates.count / 2])
    }
}
