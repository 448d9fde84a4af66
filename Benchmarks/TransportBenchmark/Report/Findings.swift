/// What a measurement shows, in sentences that are made from its figures.
struct Findings {
    /// One scenario.
    struct Finding: Hashable {
        var title: String
        /// What the figures say.
        var sentences: [String]
        /// What explains it; nil when nothing is to be explained.
        var cause: String?
    }

    private let record: BenchmarkRecord

    init(_ record: BenchmarkRecord) {
        self.record = record
    }

    /// In the order in which it was measured; empty when nothing may be concluded.
    var all: [Finding] {
        guard self.record.objection == nil else { return [] }
        return self.starts + self.roundTrips + self.record.paced.compactMap(self.finding)
    }

    // MARK: Scenarios

    private var starts: [Finding] {
        let sessions = self.record.handshakes.map { Comparison($0.transport.rawValue, $0.comparison) }
        guard let sentence = Self.sentence("Median time to a usable session", sessions) else { return [] }
        let full = self.record.handshakes.filter { !$0.transport.isResumed }.map { ($0.transport.rawValue, $0.summary) }
        let isQUICShorter = sessions.contains { $0.name == SessionStart.webTransport.rawValue && $0.verdict == .less }
        return [
            Finding(
                title: "Beginning a session",
                sentences: [sentence] + Self.best("Soonest usable, without an earlier session", full, \.p50),
                cause: isQUICShorter
                    ? "a WebSocket takes a round trip for TCP, one for TLS 1.3 and one for the upgrade; WebTransport one for "
                        + "QUIC with TLS inside, and one for the CONNECT, which waits for the server's settings" : nil
            )
        ]
    }

    private var roundTrips: [Finding] {
        let comparisons = self.record.roundTrips.map { Comparison($0.transport.rawValue, $0.comparison) }
        guard let sentence = Self.sentence("Median round trip", comparisons) else { return [] }
        return [
            Finding(
                title: "One message after the other",
                sentences: [sentence]
                    + Self.best("Shortest", self.record.roundTrips.map { ($0.transport.rawValue, $0.summary) }, \.p50),
                cause: nil
            )
        ]
    }

    private func finding(_ paced: PacedRecord) -> Finding? {
        let comparisons = paced.transports.map { Comparison($0.transport.rawValue, $0.comparison) }
        let (isState, isBeside) = (paced.scenario == .state, paced.scenario == .throughput)
        let what =
            isState
            ? "Staleness that 99 of 100 looks stay within"
            : isBeside ? "Median age of messages" : "Age that 99 of 100 messages stay within"
        guard let sentence = Self.sentence(what, comparisons) else { return nil }
        // Of what 99 of 100 stay within nothing is known where more than one of 100 never came.
        let whole = paced.transports.filter { isState || $0.age.summary.lost * 100 <= $0.age.summary.count }
        let shown = whole.map { ($0.transport.rawValue, (isState ? $0.staleness : $0.age).summary) }
        var sentences = [sentence] + Self.best(isState ? "Least stale" : "Youngest", shown, isBeside ? \.p50 : \.p99)
        if paced.scenario == .throughput {
            let rates = paced.transports.map { Comparison($0.transport.rawValue, $0.rateComparison) }
            if let rate = Self.sentence("Bytes a second", rates, less: "fewer", more: "more") { sentences.append(rate) }
        }
        sentences += self.losses(paced)
        return Finding(
            title: Self.title(paced.scenario),
            sentences: sentences,
            cause: Self.cause(paced.scenario, comparisons)
        )
    }

    private func losses(_ paced: PacedRecord) -> [String] {
        let lost = paced.transports.filter { $0.age.summary.lost > 0 }
        guard !lost.isEmpty else { return [] }
        let parts = lost.map { transport in
            let age = transport.age.summary
            return
                "\(transport.transport.rawValue) \(DecimalFormat.percent(Double(age.lost) / Double(age.lost + age.count)))"
        }
        return ["Without an echo: \(parts.joined(separator: ", "))."]
    }

    static func title(_ scenario: Scenario) -> String {
        switch scenario {
        case .handshake: "Beginning a session"
        case .roundTrip: "One message after the other"
        case .latency: "Messages at their times"
        case .headOfLine: "Independent sequences"
        case .throughput: "Messages beside a bulk transfer"
        case .state: "State of which only the newest matters"
        }
    }

    /// Said only where the figures are of that kind.
    private static func cause(_ scenario: Scenario, _ comparisons: [Comparison]) -> String? {
        func isLess(_ kind: TransportKind) -> Bool {
            comparisons.contains { $0.name == kind.rawValue && $0.verdict == .less }
        }
        switch scenario {
        case .headOfLine where isLess(.webTransportStreamPerSequence) || isLess(.webTransportStreamPerMessage):
            return
                "TCP, and one stream, deliver nothing behind a lost packet until it has come again; of several streams only "
                + "those wait whose bytes were in it (RFC 9000 § 2.2)"
        case .state where isLess(.webTransportDatagram):
            return "a lost datagram is not sent again, and the next update is newer anyway (RFC 9221 § 5)"
        case .throughput where isLess(.webTransportStreamPerSequence) || isLess(.webTransportDatagram):
            return
                "on a WebSocket, and on one stream, a message stands behind the bulk data that was queued before it; on a "
                + "stream of its own, or as a datagram, it takes its turn at once"
        case .latency, .headOfLine, .throughput, .state, .handshake, .roundTrip:
            return nil
        }
    }

    // MARK: Sentences

    private struct Comparison {
        var name: String
        var interval: RatioInterval?

        init(_ name: String, _ interval: RatioInterval?) {
            (self.name, self.interval) = (name, interval)
        }

        var verdict: RatioInterval.Verdict? {
            [SessionStart.webSocket.rawValue, SessionStart.webSocketResumed.rawValue].contains(self.name)
                ? nil : self.interval?.verdict
        }

        var text: String {
            guard let interval = self.interval else { return self.name }
            return "\(self.name) (\(DecimalFormat.ratio(interval.ratio)), \(DecimalFormat.ratio(interval.low)) to "
                + "\(DecimalFormat.ratio(interval.high)))"
        }
    }

    /// - Returns: nil when nothing was compared.
    private static func sentence(
        _ subject: String,
        _ comparisons: [Comparison],
        less: String = "shorter",
        more: String = "longer"
    ) -> String? {
        let verdicts: [(RatioInterval.Verdict, String)] = [
            (.less, "\(less) than over ws:"), (.more, "\(more) than over ws:"), (.undecided, "no difference shown:"),
        ]
        let parts = verdicts.compactMap { verdict, words -> String? in
            let of = comparisons.filter { $0.verdict == verdict }
            guard !of.isEmpty else { return nil }
            return "\(words) \(Self.list(verdict == .undecided ? of.map(\.name) : of.map(\.text)))"
        }
        return parts.isEmpty ? nil : "\(subject) – \(parts.joined(separator: "; "))."
    }

    /// Which has the lowest figure, beside ws's.
    private static func best(
        _ word: String,
        _ summaries: [(name: String, summary: Summary)],
        _ value: KeyPath<Summary, UInt64>
    ) -> [String] {
        let measured = summaries.filter { $0.summary.count > 0 }
        guard let best = measured.min(by: { $0.summary[keyPath: value] < $1.summary[keyPath: value] }) else {
            return []
        }
        let reference = measured.first { $0.name == TransportKind.webSocket.rawValue }
        let compared =
            reference.flatMap { $0.name == best.name ? nil : $0 }
            .map { "; ws \(DurationFormat.text($0.summary[keyPath: value]))" } ?? ""
        return ["\(word): \(best.name) with \(DurationFormat.text(best.summary[keyPath: value]))\(compared)."]
    }

    /// `a`, `a and b`, `a, b and c`.
    private static func list(_ names: [String]) -> String {
        guard let last = names.last, names.count > 1 else { return names.first ?? "" }
        return "\(names.dropLast().joined(separator: ", ")) and \(last)"
    }
}
