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

    private enum Instrument {
        case counter(Counter)
        case meter(Meter)
    }

    private let factory: any MetricsFactory
    private var published: [Series: (instrument: Instrument, value: Int)] = [:]

    init(factory: any MetricsFactory) {
        self.factory = factory
    }

    mutating func publish(_ samples: [Sample]) {
        for sample in samples {
            let present = self.published[sample.series] ?? (self.makeInstrument(sample.series), 0)
            let difference = sample.value - present.value
            self.published[sample.series] = (present.instrument, sample.value)
            switch present.instrument {
            case .counter(let counter) where difference > 0: counter.increment(by: difference)
            case .meter(let meter) where difference > 0: meter.increment(by: Double(difference))
            case .meter(let meter) where difference < 0: meter.decrement(by: Double(-difference))
            case .counter, .meter: break
            }
        }
    }

    private func makeInstrument(_ series: Series) -> Instrument {
        switch series.metric.kind {
        case .counter:
            .counter(Counter(label: series.metric.name, dimensions: series.dimensions, factory: self.factory))
        case .gauge:
            .meter(Meter(label: series.metric.name, dimensions: series.dimensions, factory: self.factory))
        }
    }
}
