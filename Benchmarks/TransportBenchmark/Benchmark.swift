import LoopConcurrency
public import NIOCore

/// Measures transports against one server, in one scenario after the other.
///
/// It says whose turn it is, and keeps what was measured; the client opens sessions and sends messages. What is measured in
/// one turn is what one transport does on an otherwise idle client.
public struct Benchmark: Sendable {
    private let settings: BenchmarkSettings
    private let client: any MeasuringClient
    private let eventLoop: any EventLoop
    private let meter: CostMeter

    /// Measures with sessions of this program.
    /// - Parameters:
    ///   - settings: checked when `run` begins.
    ///   - eventLoop: where the sessions live. It should have nothing else to do.
    public init(settings: BenchmarkSettings, target: BenchmarkTarget, eventLoop: any EventLoop) {
        let meter = CostMeter(server: target.process, device: target.device)
        self.init(
            settings: settings,
            client: LocalClient(settings: settings, target: target, meter: meter, eventLoop: eventLoop),
            meter: meter,
            eventLoop: eventLoop
        )
    }

    /// Measures with sessions of a browser.
    public init(
        settings: BenchmarkSettings,
        target: BenchmarkTarget,
        browser: BrowserControl,
        eventLoop: any EventLoop
    ) {
        let meter = CostMeter(client: browser.process, server: target.process, device: target.device)
        self.init(
            settings: settings,
            client: BrowserClient(browser, settings: settings, target: target, meter: meter),
            meter: meter,
            eventLoop: eventLoop
        )
    }

    private init(
        settings: BenchmarkSettings,
        client: any MeasuringClient,
        meter: CostMeter,
        eventLoop: any EventLoop
    ) {
        (self.settings, self.client, self.meter, self.eventLoop) = (settings, client, meter, eventLoop)
    }

    /// Measures everything that the settings ask for.
    ///
    /// Nothing counts until every transport has made a round trip: what the target does not offer shows at once. When the
    /// task is cancelled, what was measured until then is the result.
    /// - Throws: `BenchmarkError` when the settings make no sense, the target cannot be reached, an echo differs from
    ///   what was sent, or a session ends early; `CancellationError` when nothing has been measured yet.
    public func run(progress: any ProgressReporting) async throws -> BenchmarkResult {
        try self.settings.validate()
        return try await withTaskExecutorPreference(EventLoopTaskExecutor(self.eventLoop)) {
            progress.update("Trying each transport once", 0, of: self.settings.transports.count)
            try await self.client.tryEach(self.settings.transports)
            var result = BenchmarkResult()
            do {
                for scenario in self.settings.scenarios { try await self.measure(scenario, &result, progress) }
            } catch {
                // Whatever a session makes of being cancelled.
                guard Task.isCancelled else { throw error }
                guard !result.isEmpty else { throw CancellationError() }
                result.isInterrupted = true
            }
            return result
        }
    }

    private func measure(
        _ scenario: Scenario,
        _ result: inout BenchmarkResult,
        _ progress: any ProgressReporting
    ) async throws {
        switch scenario {
        case .handshake: try await self.measureHandshakes(&result.handshakes, progress)
        case .roundTrip: try await self.measureRoundTrips(&result.roundTrips, progress)
        case .latency, .headOfLine, .throughput, .state:
            try await self.measure(scenario, &result.paced[scenario, default: [:]], progress)
        }
    }

    /// Opens sessions one at a time, in one way after the other; the one that begins changes each time.
    private func measureHandshakes(
        _ series: inout [SessionStart: StartSeries],
        _ progress: any ProgressReporting
    ) async throws {
        guard self.settings.handshakes > 0 else { return }
        let starts = try await self.client.possible(self.settings.starts)
        for attempt in 0..<self.settings.handshakes {
            progress.update("Opening sessions", attempt, of: self.settings.handshakes)
            for start in Schedule.order(of: starts, in: attempt) {
                try Task.checkCancellation()
                do {
                    try await self.measure(start, &series[start, default: StartSeries()])
                } catch let error as BenchmarkError where error.code == .notResumed {
                    // A server need not send a ticket with each resumed session. This full one has brought one.
                    try await self.measure(start, &series[start, default: StartSeries()])
                }
            }
        }
    }

    private func measure(_ start: SessionStart, _ series: inout StartSeries) async throws {
        let begin = self.meter.read()
        let times = try await self.client.times(of: start)
        series.record(times, cost: self.meter.cost(of: 1, since: begin))
    }

    private func measureRoundTrips(
        _ series: inout [TransportKind: RoundTripSeries],
        _ progress: any ProgressReporting
    ) async throws {
        let (settings, transports) = (self.settings, self.settings.transports(for: .roundTrip))
        let schedule = Schedule(transports: transports, rounds: settings.rounds, messages: settings.messages)
        try await self.client.withRoundTrips(transports, progress) { turn in
            for (index, next) in schedule.turns.enumerated() {
                progress.update("Measuring round trips", index, of: schedule.turns.count)
                let (result, cost) = try await turn(next.transport, next.messages)
                series[next.transport, default: RoundTripSeries()].record(
                    result,
                    cost: cost,
                    patience: UInt64(settings.datagramTimeout.nanoseconds)
                )
            }
            progress.update("Measuring round trips", schedule.turns.count, of: schedule.turns.count)
        }
    }

    /// Messages at fixed times, the transports in turn, on sessions that are opened for each turn.
    private func measure(
        _ scenario: Scenario,
        _ series: inout [TransportKind: PacedSeries],
        _ progress: any ProgressReporting
    ) async throws {
        guard let load = self.settings.load(for: scenario) else { return }
        let (transports, rounds) = (self.settings.transports(for: scenario), self.settings.rounds)
        for round in 0..<rounds {
            for (index, transport) in Schedule.order(of: transports, in: round).enumerated() {
                let turn = round * transports.count + index
                progress.update("Measuring \(scenario.rawValue)", turn, of: rounds * transports.count)
                if load.bulkSize != nil {
                    let (outcomes, _) = try await self.client.turn(transport, load.quiet)
                    series[transport, default: PacedSeries()].record(quiet: outcomes)
                }
                let (outcomes, cost) = try await self.client.turn(transport, load)
                series[transport, default: PacedSeries()].record(
                    outcomes,
                    cost: cost,
                    patience: UInt64(self.settings.patience(for: load).nanoseconds)
                )
            }
        }
    }
}
