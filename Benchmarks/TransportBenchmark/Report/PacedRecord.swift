/// A scenario in which messages had their times, as it stands in the JSON file. All durations are in nanoseconds.
public struct PacedRecord: Sendable, Hashable, Codable {
    public var scenario: Scenario
    /// What each session sent.
    public var load: PacedLoad
    /// What is between the begin and the end of each age.
    public var counted = "from when the message was due until the program has the whole echo"
    public var transports: [Transport]

    /// One transport.
    public struct Transport: Sendable, Hashable, Codable {
        public var transport: TransportKind
        /// How old messages were when their echoes had come; `lost` counts those that did not come.
        public var age: Distribution
        /// How old the newest was that the receiver knew of each sequence, every millisecond.
        public var staleness: Distribution
        /// How old they were without the bulk transfer that was beside them; nil where there was none.
        public var quietAge: Distribution?
        /// Bytes a second of that transfer, there and back, of each turn, in the order measured; empty likewise.
        public var turnRates: [UInt64]
        /// That rate compared with WebSocket's.
        public var rateComparison: RatioInterval?
        /// What the messages, with those of the warm-up, have cost, or where there is a bulk transfer its bytes; nil when
        /// that is not known.
        public var cost: Cost?
        /// How late the client itself began to send.
        public var lateness: Summary
        /// The share of all messages that were newer, when they came, than what had come before; from 0 to 1.
        public var freshShare: Double
        /// The messages of one turn, to look at; nil when none counted.
        public var timeline: Timeline?
        /// The median age of each turn, in the order measured.
        public var turnMedians: [UInt64]
        /// What 99 of 100 are within, of ages or where the scenario is about it of staleness, compared with that over
        /// WebSocket; beside a bulk transfer, where turns have few messages, the median age. What did not come back is older
        /// than all that did. nil where there is none, or there are too few turns.
        public var comparison: RatioInterval?
    }

    /// Some figures, and all of which they are.
    public struct Distribution: Sendable, Hashable, Codable {
        public var summary: Summary
        public var histogram: HistogramData

        init(_ series: Series) {
            self.summary = Summary(series)
            self.histogram = HistogramData(series.histogram)
        }
    }

    private static func comparison(
        of series: PacedSeries,
        to reference: PacedSeries,
        in scenario: Scenario
    ) -> RatioInterval? {
        switch scenario {
        case .state: RatioInterval(of: series.staleness.turnTails, to: reference.staleness.turnTails)
        case .throughput: RatioInterval(of: series.ages.turnMedians, to: reference.ages.turnMedians)
        case .handshake, .roundTrip, .latency, .headOfLine:
            RatioInterval(of: series.ages.turnTails, to: reference.ages.turnTails)
        }
    }

    mutating func withholdComparisons() {
        for index in self.transports.indices {
            self.transports[index].comparison = nil
            self.transports[index].rateComparison = nil
        }
    }

    /// - Parameter transports: in the order in which they are reported.
    init(_ scenario: Scenario, load: PacedLoad, _ transports: [(TransportKind, PacedSeries)]) {
        self.scenario = scenario
        self.load = load
        let reference = transports.first { $0.0 == .webSocket }?.1
        self.transports = transports.map { transport, series in
            Transport(
                transport,
                series,
                comparison: reference.flatMap { Self.comparison(of: series, to: $0, in: scenario) },
                rateComparison: reference.flatMap { RatioInterval(of: series.turnRates, to: $0.turnRates) }
            )
        }
    }
}

extension PacedRecord.Transport {
    fileprivate init(
        _ transport: TransportKind,
        _ series: PacedSeries,
        comparison: RatioInterval?,
        rateComparison: RatioInterval?
    ) {
        self.transport = transport
        self.age = .init(series.ages)
        self.staleness = .init(series.staleness)
        self.quietAge = series.turnRates.isEmpty ? nil : .init(series.quietAges)
        self.turnRates = series.turnRates
        self.rateComparison = rateComparison
        self.cost = series.cost
        self.timeline = series.timeline
        self.lateness = Summary(series.lateness)
        let sent = self.age.summary.count + self.age.summary.lost
        self.freshShare = sent == 0 ? 0 : Double(series.fresh) / Double(sent)
        self.turnMedians = series.ages.turnMedians
        self.comparison = comparison
    }
}
