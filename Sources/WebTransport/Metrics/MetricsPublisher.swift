import CoreMetrics

/// Carries an endpoint's counts into swift-metrics: now and then the differences to the last time.
///
/// Differences, since the endpoints of a server share each series: their sum is the server's.
struct MetricsPublisher {
    struct Sample {
        let series: Series
        let value: Int

        init(_ metric: TransportMetric, _ value: Int, _ label: (name: String, value: String)? = nil) {
            self.series = Series(metric: metric, labelName: label?.name, labelValue: label?.value)
            self.value = value
        }
    }

    struct Series: Hashable {
        let metric: TransportMetric
        let labelName: String?
        let labelValue: String?

        var dimensions: [(String, String)] {
            guard let name = self.labelName, let value = self.labelValue else { return [] }
            return [(name, value)]
        }
    }

    private let factory: any MetricsFactory
    private var published: [Series: (value: Int, change: (Int) -> Void)] = [:]

    init(factory: any MetricsFactory) {
        self.factory = factory
    }

    mutating func publish(_ samples: [Sample]) {
        for sample in samples {
            var series = self.published[sample.series] ?? (0, self.makeInstrument(sample.series))
            let difference = sample.value - series.value
            if difference != 0 { series.change(difference) }
            series.value = sample.value
            self.published[sample.series] = series
        }
    }

    /// What changes the series by a difference.
    private func makeInstrument(_ series: Series) -> (Int) -> Void {
        switch series.metric.kind {
        case .counter:
            let counter = Counter(label: series.metric.name, dimensions: series.dimensions, factory: self.factory)
            return { difference in
                // A counter only rises.
                if difference > 0 { counter.increment(by: difference) }
            }
        case .gauge:
            let meter = Meter(label: series.metric.name, dimensions: series.dimensions, factory: self.factory)
            return { difference in
                if difference > 0 {
                    meter.increment(by: Double(difference))
                } else {
                    meter.decrement(by: Double(-difference))
                }
            }
        }
    }
}
