/// Distributions on a common logarithmic axis, one line each, so that differences can be seen.
///
/// ```
/// wt-stream  ─────●━━━━━━─────────····
/// ws            ─●━━━━──────···
///            └─────────┴─────────┴────
///            50 µs     100 µs    200 µs
/// ```
enum PercentilePlot {
    /// Columns of the axis; with a name and an edge it fits 80.
    private static let width = 58

    static let legend = "─ from the shortest, ● median, ━ to p90, ─ to p99, · to the longest; logarithmic"

    /// - Returns: no lines when nothing was measured.
    static func lines(_ distributions: [(name: String, summary: Summary)]) -> [String] {
        let shown = distributions.filter { $0.summary.count > 0 }
        guard
            let lowest = shown.map(\.summary.min).min(), let highest = shown.map(\.summary.max).max(),
            let axis = LogarithmicAxis(from: lowest, to: highest, width: Self.width)
        else { return [] }
        let nameWidth = shown.map(\.name.count).max() ?? 0
        let bars = shown.map { name, summary in
            name + String(repeating: " ", count: nameWidth - name.count) + "  " + Self.bar(summary, on: axis)
        }
        let indentation = String(repeating: " ", count: nameWidth + 2)
        return bars + axis.lines.map { indentation + $0 }
    }

    private static func bar(_ summary: Summary, on axis: LogarithmicAxis) -> String {
        let (low, middle) = (axis.column(summary.min), axis.column(summary.p50))
        let (high, higher, end) = (axis.column(summary.p90), axis.column(summary.p99), axis.column(summary.max))
        let characters: [Character] = (0...end).map { column in
            if column == middle { return "●" }
            if column < low { return " " }
            if column < middle { return "─" }
            if column <= high { return "━" }
            return column <= higher ? "─" : "·"
        }
        return String(characters)
    }
}
