import Glibc

/// The percentiles of a distribution as a curve: each nine after the point is as wide as the one before, since it is the
/// tails that differ.
enum PercentileCurve {
    private static let nines = 3.0

    static let marks: [LinePlot.Mark] = [
        (0, "0"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"),
    ].map { LinePlot.Mark(x: Self.position($0.0), text: $0.1) }

    /// - Parameter data: buckets in ascending order.
    static func make(_ name: String, _ data: HistogramData) -> LinePlot.Curve {
        let total = data.buckets.reduce(0.0) { $0 + Double($1[1]) }
        var points: [(x: Double, nanoseconds: UInt64)] = []
        var sum = 0.0
        for bucket in data.buckets {
            points.append((Self.position(sum / total), bucket[0]))
            sum += Double(bucket[1])
            points.append((Self.position(sum / total), bucket[0]))
        }
        return LinePlot.Curve(name: name, points: Self.thinned(points))
    }

    private static func position(_ share: Double) -> Double {
        min(1, -log10(max(1e-9, 1 - share)) / Self.nines)
    }

    /// Points that are less than a pixel apart show nothing.
    private static func thinned(_ points: [(x: Double, nanoseconds: UInt64)]) -> [(x: Double, nanoseconds: UInt64?)] {
        var kept: [(x: Double, nanoseconds: UInt64)] = []
        for (index, point) in points.enumerated() {
            let isFar = kept.last.map { last in
                point.x - last.x >= 0.001 || Double(point.nanoseconds) >= 1.01 * Double(last.nanoseconds)
            }
            if isFar ?? true || index == points.count - 1 { kept.append(point) }
        }
        return kept
    }
}
