public import CoreMetrics
import NIOConcurrencyHelpers

/// Keeps the values of all metrics and renders them as text for Prometheus.
///
/// A series is there from the first time that somebody makes its counter or meter, and stays: the sum of those that
/// share its label and dimensions.
public final class PrometheusRegistry: MetricsFactory {
    private struct Series: Hashable {
        let label: String
        let dimensions: [[String]]
    }

    private enum Value {
        case counter(CounterValue)
        case gauge(GaugeValue)
        case summary(SummaryValue)
    }

    private let descriptions: [String: String]
    private let series = NIOLockedValueBox<[Series: Value]>([:])

    /// - Parameter descriptions: one sentence for each label, its HELP line.
    public init(descriptions: [String: String] = [:]) {
        self.descriptions = descriptions
    }

    // MARK: What swift-metrics asks for

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        let value = self.value(label, dimensions, makeNew: { .counter(CounterValue()) })
        // A label of two kinds is a mistake of the program's: the second kind counts where nobody looks.
        guard case .counter(let counter) = value else { return CounterValue() }
        return counter
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        self.gauge(label, dimensions)
    }

    public func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        aggregate ? self.summary(label, dimensions) : self.gauge(label, dimensions)
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        self.summary(label, dimensions)
    }

    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyMeter(_ handler: any MeterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}

    private func gauge(_ label: String, _ dimensions: [(String, String)]) -> GaugeValue {
        guard case .gauge(let gauge) = self.value(label, dimensions, makeNew: { .gauge(GaugeValue()) }) else {
            return GaugeValue()
        }
        return gauge
    }

    private func summary(_ label: String, _ dimensions: [(String, String)]) -> SummaryValue {
        guard case .summary(let summary) = self.value(label, dimensions, makeNew: { .summary(SummaryValue()) }) else {
            return SummaryValue()
        }
        return summary
    }

    private func value(_ label: String, _ dimensions: [(String, String)], makeNew: () -> Value) -> Value {
        let key = Series(label: label, dimensions: dimensions.map { [$0.0, $0.1] })
        return self.series.withLockedValue { series in
            if let present = series[key] { return present }
            let new = makeNew()
            series[key] = new
            return new
        }
    }

    // MARK: The text

    /// The media type of `text`.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// All series in the text format 0.0.4, in the order of their names.
    public var text: String {
        let groups = Dictionary(grouping: self.series.withLockedValue { Array($0) }, by: \.key.label)
        var lines: [String] = []
        for (label, series) in groups.sorted(by: { $0.key < $1.key }) {
            let name = Self.name(label)
            if let help = self.descriptions[label] { lines.append("# HELP \(name) \(Self.escapedHelp(help))") }
            lines.append("# TYPE \(name) \(Self.type(of: series[0].value))")
            lines += series.flatMap { Self.lines(name, $0.key, $0.value) }.sorted()
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private static func type(of value: Value) -> String {
        switch value {
        case .counter: "counter"
        case .gauge: "gauge"
        case .summary: "summary"
        }
    }

    private static func lines(_ name: String, _ series: Series, _ value: Value) -> [String] {
        let pairs = series.dimensions.map { "\(self.name($0[0]))=\"\(self.escapedValue($0[1]))\"" }
        let dimensions = pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}"
        switch value {
        case .counter(let counter):
            return ["\(name)\(dimensions) \(counter.value)"]
        case .gauge(let gauge):
            return ["\(name)\(dimensions) \(self.number(gauge.value))"]
        case .summary(let summary):
            let (count, sum) = summary.value
            return ["\(name)_count\(dimensions) \(count)", "\(name)_sum\(dimensions) \(self.number(sum))"]
        }
    }

    private static func number(_ value: Double) -> String {
        Int(exactly: value).map(String.init) ?? "\(value)"
    }

    /// Letters, digits and underscores, not beginning with a digit.
    private static func name(_ text: String) -> String {
        let name = String(text.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
        return name.first?.isNumber == true ? "_" + name : name
    }

    private static func escapedHelp(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
    }

    private static func escapedValue(_ text: String) -> String {
        self.escapedHelp(text).replacing("\"", with: "\\\"")
    }
}
