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

    /// Not a closure: one that is taken out of a collection and put back is wrapped again each time.
    private enum Instrument {
        case counter(Counter)
        case meter(Meter)

        init(_ series: Series, _ factory: any MetricsFactory) {
            let (label, dimensions) = (series.metric.name, series.dimensions)
            self =
                switch series.metric.kind {
                case .counter: .counter(Counter(label: label, dimensions: dimensions, factory: factory))
                case .gauge: .meter(Meter(label: label, dimensions: dimensions, factory: factory))
                }
        }

        func change(by difference: Int) {
            switch self {
            // A counter only rises.
            case .counter(let counter): if difference > 0 { counter.increment(by: difference) }
            case .meter(let meter):
                if difference > 0 {
                    meter.increment(by: Double(difference))
                } else if difference < 0 {
                    meter.decrement(by: Double(-difference))
                }
            }
        }
    }

    private let factory: any MetricsFactory
    private var published: [Series: (value: Int, instrument: Instrument)] = [:]

    init(factory: any MetricsFactory) {
        self.factory = factory
    }

    mutating func publish(_ samples: [Sample]) {
        for sample in samples {
            let (value, instrument) = self.published[sample.series] ?? (0, Instrument(sample.series, self.factory))
            instrument.change(by: sample.value - value)
            self.published[sample.series] = (sample.value, instrument)
        }
    }
}
