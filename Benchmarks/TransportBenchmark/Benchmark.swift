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

    /// - Parameters:
    ///   - settings: checked when `run` begins.
    ///   - eventLoop: where the sessions live. It should have nothing else to do.
    public init(settings: BenchmarkSettings, target: BenchmarkTarget, eventLoop: any EventLoop) {
        self.settings = settings
        self.opener = SessionOpener(target: target, eventLoop: eventLoop)
        self.eventLoop = eventLoop
    }

    /// Measures everything that the settings ask for.
    ///
    /// Nothing counts until every transport has made a round trip: what the target does not offer shows at once.
    /// - Throws: `BenchmarkError` when the settings make no sense, the target cannot be reached, an echo differs from
    ///   what was sent, or a session ends early; `CancellationError`.
    public func run(progress: any ProgressReporting) async throws -> BenchmarkResult {
        try self.settings.validate()
        return try await withTaskExecutorPreference(EventLoopTaskExecutor(self.eventLoop)) {
            progress.update("Trying each transport once", 0, of: self.settings.transports.count)
            try await self.tryEachTransport()
            var result = BenchmarkResult()
            for scenario in self.settings.scenarios {
                switch scenario {
                case .handshake: result.handshakes = try await self.measureHandshakes(progress)
                case .roundTrip: result.roundTrips = try await self.measureRoundTrips(progress)
                case .latency, .headOfLine, .state:
                    result.paced[scenario] = try await self.measure(scenario, progress)
                }
            }
            return result
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
    private func measureHandshakes(_ progress: any ProgressReporting) async throws -> [SessionStart: StartSeries] {
        guard self.settings.handshakes > 0 else { return [:] }
        let message = EchoMessage(size: self.settings.size).make(1)
        var starts: [SessionStart] = []
        for start in self.settings.starts where try await self.opener.canBegin(start, message: message) {
            starts.append(start)
        }
        var series = Dictionary(uniqueKeysWithValues: starts.map { ($0, StartSeries()) })
        for attempt in 0..<self.settings.handshakes {
            progress.update("Opening sessions", attempt, of: self.settings.handshakes)
            for start in Schedule.rotated(starts, by: attempt) {
                try Task.checkCancellation()
                series[start]?.record(try await self.opener.times(of: start, message: message))
            }
        }
        return series
    }

    private func measureRoundTrips(_ progress: any ProgressReporting) async throws -> [TransportKind: Series] {
        let (settings, transports) = (self.settings, self.settings.transports(for: .roundTrip))
        let schedule = Schedule(transports: transports, rounds: settings.rounds, messages: settings.messages)
        return try await self.withConversations(transports, connections: settings.connections) {
            conversations in
            for (index, transport) in transports.enumerated() {
                progress.update("Warming up", index, of: transports.count)
                _ = try await self.turn(
                    conversations[transport] ?? [],
                    messages: settings.warmUp * settings.connections
                )
            }
            var series = Dictionary(uniqueKeysWithValues: transports.map { ($0, Series()) })
            for (index, turn) in schedule.turns.enumerated() {
                progress.update("Measuring round trips", index, of: schedule.turns.count)
                let result = try await self.turn(conversations[turn.transport] ?? [], messages: turn.messages)
                series[turn.transport]?.record(turn: result)
            }
            progress.update("Measuring round trips", schedule.turns.count, of: schedule.turns.count)
            return series
        }
    }

    /// Messages at fixed times, the transports in turn, on sessions that are opened for each turn.
    private func measure(
        _ scenario: Scenario,
        _ progress: any ProgressReporting
    ) async throws -> [TransportKind: PacedSeries] {
        guard let load = self.settings.load(for: scenario) else { return [:] }
        let (transports, rounds) = (self.settings.transports(for: scenario), self.settings.rounds)
        var series = Dictionary(uniqueKeysWithValues: transports.map { ($0, PacedSeries()) })
        for round in 0..<rounds {
            for (index, transport) in Schedule.rotated(transports, by: round).enumerated() {
                let turn = round * transports.count + index
                progress.update("Measuring \(scenario.rawValue)", turn, of: rounds * transports.count)
                series[transport]?.record(try await self.turn(transport, load))
            }
        }
        return series
    }

    /// All sessions of one transport send their messages at the same time.
    private func turn(_ transport: TransportKind, _ load: PacedLoad) async throws -> [PacedOutcome] {
        let turn = PacedTurn(
            kind: transport,
            load: load,
            size: self.settings.size,
            patience: self.settings.patience,
            opener: self.opener,
            eventLoop: self.eventLoop
        )
        return try await withThrowingTaskGroup(of: PacedOutcome.self) { group in
            for _ in 0..<self.settings.connections { group.addTask { try await turn.run() } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
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

/// What was measured.
public struct BenchmarkResult: Sendable {
    /// Times to a usable session, and to the first echo.
    public var handshakes: [SessionStart: StartSeries] = [:]
    public var roundTrips: [TransportKind: Series] = [:]
    /// Of the scenarios in which messages have their times.
    public var paced: [Scenario: [TransportKind: PacedSeries]] = [:]
}
