import NIOCore

/// Sessions of this program. They live on one event loop, and so do the tasks that measure.
struct LocalClient: MeasuringClient {
    private let settings: BenchmarkSettings
    private let opener: SessionOpener
    private let meter: CostMeter
    private let eventLoop: any EventLoop

    init(settings: BenchmarkSettings, target: BenchmarkTarget, meter: CostMeter, eventLoop: any EventLoop) {
        self.settings = settings
        self.opener = SessionOpener(target: target, eventLoop: eventLoop)
        self.meter = meter
        self.eventLoop = eventLoop
    }

    func tryEach(_ transports: [TransportKind]) async throws {
        for transport in transports {
            try await self.withConversations([transport], connections: 1) { conversations in
                for _ in 0..<BenchmarkError.firstDatagrams {
                    let result = try await self.turn(conversations[transport] ?? [], messages: 1)
                    if result.allSatisfy({ $0.lost == 0 }) { return }
                }
                throw BenchmarkError.noDatagrams(within: self.settings.datagramTimeout)
            }
        }
    }

    // MARK: Beginnings

    private var message: ByteBuffer { EchoMessage(size: self.settings.size).make(1) }

    func possible(_ starts: [SessionStart]) async throws -> [SessionStart] {
        var possible: [SessionStart] = []
        for start in starts where try await self.opener.canBegin(start, message: self.message) {
            possible.append(start)
        }
        return possible
    }

    func times(of start: SessionStart) async throws -> StartTimes {
        try await self.opener.times(of: start, message: self.message)
    }

    // MARK: Turns

    func withRoundTrips(
        _ transports: [TransportKind],
        _ progress: any ProgressReporting,
        _ body: (RoundTripTurn) async throws -> Void
    ) async throws {
        let settings = self.settings
        try await self.withConversations(transports, connections: settings.connections) { conversations in
            for (index, transport) in transports.enumerated() {
                progress.update("Warming up", index, of: transports.count)
                _ = try await self.turn(
                    conversations[transport] ?? [],
                    messages: settings.warmUp * settings.connections
                )
            }
            try await body { transport, messages in
                let begin = self.meter.read()
                let result = try await self.turn(conversations[transport] ?? [], messages: messages)
                return (result, self.meter.cost(of: messages, since: begin))
            }
        }
    }

    func turn(_ transport: TransportKind, _ load: PacedLoad) async throws -> ([PacedOutcome], Cost) {
        let (count, loop, meter) = (self.settings.connections, self.eventLoop, self.meter)
        let costs = NIOLoopBound(TurnCost(meter, messages: load.count * count), eventLoop: loop)
        let turn = PacedTurn(
            kind: transport,
            load: load,
            messages: PacedMessages(size: self.settings.size, bulkSize: load.bulkSize),
            patience: self.settings.patience(for: load),
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
