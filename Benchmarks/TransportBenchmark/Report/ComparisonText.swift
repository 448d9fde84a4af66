/// What can be said of transports compared with WebSocket, in words, and what cannot.
enum ComparisonText {
    /// - Parameters:
    ///   - subject: what was compared, such as `median`.
    ///   - comparisons: by the name of each transport; those without a comparison say nothing.
    ///   - words: what less and more of it are called.
    ///   - objection: why nothing may be concluded; nil when something may.
    /// - Returns: no lines when there is nothing to compare.
    static func lines(
        _ subject: String,
        _ comparisons: [(name: String, interval: RatioInterval?)],
        words: (less: String, more: String) = ("shorter", "longer"),
        objection: String?
    ) -> [String] {
        let references = [SessionStart.webSocket.rawValue, SessionStart.webSocketResumed.rawValue]
        let others = comparisons.filter { !references.contains($0.name) }
        guard others.count < comparisons.count, !others.isEmpty else { return [] }
        if let objection { return ["No comparison: \(objection)."] }
        let known = others.compactMap { name, interval in interval.map { (name, $0) } }
        guard !known.isEmpty else {
            return ["No comparison: it takes \(RatioInterval.leastRounds) rounds to know their spread."]
        }
        let width = known.map(\.0.count).max() ?? 0
        let hasResumed = known.contains { SessionStart(rawValue: $0.0)?.isResumed == true }
        let reference = hasResumed ? "ws, resumed ones with ws-resumed" : "ws"
        return ["Compared with \(reference), \(subject)", "(and where 95 % of redrawn rounds lie):"]
            + known.map { name, interval in
                let padding = String(repeating: " ", count: width - name.count)
                let bounds = "(\(DecimalFormat.ratio(interval.low)) to \(DecimalFormat.ratio(interval.high)))"
                return
                    "  \(name)\(padding)  \(DecimalFormat.ratio(interval.ratio)) \(bounds): \(Self.word(interval.verdict, words))"
            }
    }

    private static func word(_ verdict: RatioInterval.Verdict, _ words: (less: String, more: String)) -> String {
        switch verdict {
        case .less: words.less
        case .more: words.more
        case .undecided: "no difference shown"
        }
    }
}
