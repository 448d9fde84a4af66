import LoopConcurrency
public import NIOCore

/// Measures transports against one server, in one scenario after the other.
///
/// All sessions live on one event loop, and so do the tasks that measure. What is measured in one turn is what one
/// transport does on an otherwise idle client.
public struct Benchmark: Sendable {
    private let settings: BenchmarkSettings
    private let opener: SessionOpener
    private let eventLoop: any EventLoop
    private let meter: CostMeter

    /// - Parameters:
    ///   - settings: checked when `run` begins.
    ///   - eventLoop: where the sessions live. It should have nothing else to do.
    public init(settings: BenchmarkSettings, target: BenchmarkTarget, eventLoop: any EventLoop) {
        self.settings = settings
        self.opener = SessionOpener(target: target, eventLoop: eventLoop)
        self.eventLoop = eventLoop
        self.meter = CostMeter(server: target.process, device: target.device)
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
            try await self.tryEachTransport()
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

    /// A network that loses every fifth datagram loses ten round trips in a row in one run of 27,000.
    private static let firstDatagrams = 10

    private func tryEachTransport() async throws {
        for transport in self.settings.transports {
            try await self.withConversations([transport], connections: 1) { conversations in
                for _ in 0..<Self.firstDatagrams {
                    let result = try await self.turn(conversations[transport] ?? [], messages: 1)
                    if result.allSatisfy({ $0.lost == 0 }) { return }
                }
                throw BenchmarkError(
                    .unavailable,
                    "none of \(Self.firstDatagrams) datagrams came back within "
                        + "\(self.settings.datagramTimeout.nanoseconds / 1_000_000) ms; check that the target echoes "
                        + "datagrams, or leave wt-datagram out of --transports"
                )
            }
        }
    }

    /// Opens sessions one at a time, in one way after the other; the one that begins changes each time.
    private func measureHandshakes(
        _ series: inout [SessionStart: StartSeries],
        _ progress: any ProgressReporting
    ) async throws {
        guard self.settings.handshakes > 0 else { return }
        let message = EchoMessage(size: self.settings.size).make(1)
        var starts: [SessionStart] = []
        for start in self.settings.starts where try await self.opener.canBegin(start, message: message) {
            starts.append(start)
        }
        for attempt in 0..<self.settings.handshakes {
            progress.update("Opening sessions", attempt, of: self.settings.handshakes)
            for start in Schedule.rotated(starts, by: attempt) {
                try Task.checkCancellation()
                do {
                    try await self.measure(start, message, &series[start, default: StartSeries()])
                } catch let error as BenchmarkError where error.code == .notResumed {
                    // A server need not send a ticket with each resumed session. This full one has brought one.
                    try await self.measure(start, message, &series[start, default: StartSeries()])
                }
            }
        }
    }

    private func measure(_ start: SessionStart, _ message: ByteBuffer, _ series: inout StartSeries) async throws {
        let begin = self.meter.read()
        let times = try await self.opener.times(of: start, message: message)
        series.record(times, cost: self.meter.cost(of: 1, since: begin))
    }

    private func measureRoundTrips(
        _ series: inout [TransportKind: RoundTripSeries],
        _ progress: any ProgressReporting
    ) async throws {
        let (settings, transports) = (self.settings, self.settings.transports(for: .roundTrip))
        let schedule = Schedule(transports: transports, rounds: settings.rounds, messages: settings.messages)
        try await self.withConversations(transports, connections: settings.connections) {
            conversations in
            for (index, transport) in transports.enumerated() {
                progress.update("Warming up", index, of: transports.count)
                _ = try await self.turn(
                    conversations[transport] ?? [],
                    messages: settings.warmUp * settings.connections
                )
            }
            for (index, turn) in schedule.turns.enumerated() {
                progress.update("Measuring round trips", index, of: schedule.turns.count)
                let begin = self.meter.read()
                let result = try await self.turn(conversations[turn.transport] ?? [], messages: turn.messages)
                let cost = self.meter.cost(of: turn.messages, since: begin)
                series[turn.transport, default: RoundTripSeries()].record(result, cost: cost)
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
            for (index, transport) in Schedule.rotated(transports, by: round).enumerated() {
                let turn = round * transports.count + index
                progress.update("Measuring \(scenario.rawValue)", turn, of: rounds * transports.count)
                if load.bulkSize != nil {
                    let (outcomes, _) = try await self.turn(transport, load.quiet)
                    series[transport, default: PacedSeries()].record(quiet: outcomes)
                }
                let (outcomes, cost) = try await self.turn(transport, load)
                series[transport, default: PacedSeries()].record(outcomes, cost: cost)
            }
        }
    }

    /// All sessions of one transport send their messages at the same time.
    private func turn(_ transport: TransportKind, _ load: PacedLoad) async throws -> ([PacedOutcome], Cost) {
        let (count, loop, meter) = (self.settings.connections, self.eventLoop, self.meter)
        let costs = NIOLoopBound(TurnCost(meter, messages: load.count * count), eventLoop: loop)
        let turn = PacedTurn(
            kind: transport,
            load: load,
            messages: PacedMessages(size: self.settings.size, bulkSize: load.bulkSize),
            patience: load.bulkSize == nil
                ? self.settings.patience : self.settings.patience * BenchmarkSettings.bulkPatience,
            opener: self.opener,
            eventLoop: loop,
            begin: NIOLoopBound(Rendezvous(of: count) { costs.value.begin() }, eventLoop: loop),
            end: NIOLoopBound(Rendezvous(of: count) { costs.value.end() }, eventLoop: loop)
        )
        let outcomes = try await withThrowingTaskGroup(of: PacedOutcome.self) { group in
            for _ in 0..<count { group.addTask { try await turn.run() } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        var cost = costs.value.cost
        if load.bulkSize != nil { cost.count = outcomes.reduce(0) { $0 + UInt64($1.wholeBulkByteCount) } }
        return (outcomes, cost)
    }

    /// All sessions of one transport make their share of the round trips at once.
    private func turn(_ conversations: [Conversation], messages: Int) async throws -> [TurnResult] {
        let shares = Schedule.split(messages, into: conversations.count)
        return try await withThrowingTaskGroup(of: TurnResult.self) { group in
            for (conversation, share) in zip(conversations, shares) {
                group.addTask { try await conversation.measure(share) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    /// Opens sessions of each transport, gives them to `body`, and closes them.
    private func withConversations<Result: Sendable>(
        _ transports: [TransportKind],
        connections: Int,
        _ body: ([TransportKind: [Conversation]]) async throws -> Result
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var conversations: [TransportKind: [Conversation]] = [:]
            defer {
                for conversation in conversations.values.joined() { conversation.finish() }
            }
            for transport in transports {
                for _ in 0..<connections {
                    let conversation = Conversation(transport, opener: self.opener, settings: self.settings)
                    conversations[transport, default: []].append(conversation)
                    group.addTask { await conversation.run() }
                    // One after the other: a burst of handshakes makes servers ask for proof of the address.
                    _ = try await conversation.measure(0)
                }
            }
            return try await body(conversations)
        }
    }
}
