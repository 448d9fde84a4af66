import Glibc

/// Curves over a common logarithmic axis of durations, as SVG that needs nothing else.
struct LinePlot {
    /// One curve, or with gaps several pieces of one.
    struct Curve {
        var name: String
        /// Positions from 0 to 1 from left to right, and durations in nanoseconds; nil is a gap.
        var points: [(x: Double, nanoseconds: UInt64?)]
        var style = Style.line
    }

    enum Style { case line, dots }

    /// A mark of the horizontal axis.
    struct Mark {
        var x: Double
        var text: String
    }

    var title: String
    var horizontal: String
    var marks: [Mark]
    var curves: [Curve]

    private static let (width, height) = (720.0, 300.0)
    private static let (left, right, top, bottom) = (70.0, 12.0, 12.0, 44.0)
    private static let (plotWidth, plotHeight) = (width - left - right, height - top - bottom)
    /// Told apart without colour, too.
    static let dashes = ["", "7 3", "2 3", "10 3 2 3", "14 4", "1 5", "5 5", "8 2 2 2 2 2"]

    /// - Returns: nil when nothing was measured.
    var html: String? {
        let values = self.curves.flatMap(\.points).compactMap(\.nanoseconds).filter { $0 > 0 }
        guard let lowest = values.min(), let highest = values.max() else { return nil }
        let scale = Scale(lowest, highest)
        return """
            <figure>
            <figcaption>\(HTMLText.escape(self.title))</figcaption>
            <div class="scroll"><svg viewBox="0 0 \(Int(Self.width)) \(Int(Self.height))" role="img" \
            aria-label="\(HTMLText.escape(self.title))">
            \((scale.marks.map { Self.row($0, scale) } + self.marks.map(Self.column)).joined(separator: "\n"))
            <text class="axis" x="\(Self.text(Self.left + Self.plotWidth / 2))" y="\(Self.text(Self.height - 6))" \
            text-anchor="middle">\(HTMLText.escape(self.horizontal))</text>
            \(self.curves.enumerated().map { Self.curve($1, $0, scale) }.joined(separator: "\n"))
            </svg></div>
            \(self.legend)
            </figure>
            """
    }

    private var legend: String {
        let entries = self.curves.enumerated().map { index, curve in
            """
            <li><svg viewBox="0 0 34 8" aria-hidden="true"><line class="s\(index % 8)" x1="1" y1="4" x2="33" y2="4" \
            stroke-dasharray="\(Self.dashes[index % 8])"/></svg>\(HTMLText.escape(curve.name))</li>
            """
        }
        return "<ul class=\"legend\">\(entries.joined())</ul>"
    }

    private static func row(_ nanoseconds: UInt64, _ scale: Scale) -> String {
        let y = self.text(self.top + self.plotHeight * (1 - scale.position(nanoseconds)))
        return """
            <line class="grid" x1="\(self.text(self.left))" x2="\(self.text(self.width - self.right))" y1="\(y)" y2="\(y)"/>\
            <text class="axis" x="\(self.text(self.left - 6))" y="\(y)" dy="4" text-anchor="end">\
            \(HTMLText.escape(DurationFormat.short(nanoseconds)))</text>
            """
    }

    private static func column(_ mark: Mark) -> String {
        let x = self.text(self.left + self.plotWidth * mark.x)
        // What stands at the edge would be cut.
        let anchor = mark.x > 0.97 ? "end" : "middle"
        return """
            <line class="grid" x1="\(x)" x2="\(x)" y1="\(self.text(self.top))" y2="\(self.text(self.top + self.plotHeight))"/>\
            <text class="axis" x="\(x)" y="\(self.text(self.height - self.bottom + 16))" text-anchor="\(anchor)">\
            \(HTMLText.escape(mark.text))</text>
            """
    }

    private static func curve(_ curve: Curve, _ index: Int, _ scale: Scale) -> String {
        let places = curve.points.map { point in
            point.nanoseconds.map { nanoseconds in
                (
                    self.text(self.left + self.plotWidth * min(1, max(0, point.x))),
                    self.text(self.top + self.plotHeight * (1 - scale.position(nanoseconds)))
                )
            }
        }
        switch curve.style {
        case .dots:
            let dots = places.compactMap { place in place.map { "M\($0.0) \($0.1)h.01" } }.joined()
            return "<path class=\"dots s\(index % 8)\" d=\"\(dots)\"/>"
        case .line:
            var path = ""
            var isDrawing = false
            for place in places {
                if let place { path += "\(isDrawing ? "L" : "M")\(place.0) \(place.1)" }
                isDrawing = place != nil
            }
            return "<path class=\"s\(index % 8)\" stroke-dasharray=\"\(Self.dashes[index % 8])\" d=\"\(path)\"/>"
        }
    }

    /// A tenth of a unit is finer than a screen.
    private static func text(_ number: Double) -> String {
        let tenths = Int((number * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(abs(tenths % 10))"
    }

    /// Decades of equal height, with marks at 1, 2 and 5 of each.
    private struct Scale {
        private let (low, high): (Double, Double)

        init(_ lowest: UInt64, _ highest: UInt64) {
            self.low = log10(Double(lowest)) - 0.05
            self.high = max(log10(Double(highest)) + 0.05, self.low + 0.3)
        }

        /// From 0 at the bottom to 1; what lies outside is at an edge.
        func position(_ nanoseconds: UInt64) -> Double {
            min(1, max(0, (log10(Double(max(1, nanoseconds))) - self.low) / (self.high - self.low)))
        }

        var marks: [UInt64] {
            let digits: [Double] = self.high - self.low > 2.5 ? [1] : [1, 2, 5]
            return (Int(self.low.rounded(.down))...Int(self.high.rounded(.up))).flatMap { decade in
                digits.map { UInt64(($0 * pow(10, Double(decade))).rounded()) }
            }.filter { $0 > 0 && log10(Double($0)) >= self.low && log10(Double($0)) <= self.high }
        }
    }
}
