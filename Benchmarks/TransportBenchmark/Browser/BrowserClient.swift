import NIOCore

/// Sessions of a browser. Each turn opens its own, and warms them up.
struct BrowserClient: MeasuringClient {
    private let control: BrowserControl
    private let settings: BenchmarkSettings
    private let target: BrowserCommand.Target
    private let meter: CostMeter

    init(_ control: BrowserControl, settings: BenchmarkSettings, target: BenchmarkTarget, meter: CostMeter) {
        self.control = control
        self.settings = settings
        self.meter = meter
        self.target = BrowserCommand.Target(
            webtransport: target.webTransportURL,
            websocket: target.webSocketURL,
            hashes: target.fingerprints.map(\.hexadecimal)
        )
    }

    func tryEach(_ transports: [TransportKind]) async throws {
        for transport in transports where transport != .webTransportStreamPerSequence {
            try await self.tryOnce(transport)
        }
    }

    private func tryOnce(_ transport: TransportKind) async throws {
        for _ in 0..<BenchmarkError.firstDatagrams {
            let result = try await self.roundTrips(transport, messages: 1, warmUp: 0)
            if result.allSatisfy({ $0.lost == 0 }) { return }
        }
        throw BenchmarkError.noDatagrams(within: self.settings.datagramTimeout)
    }

    // MARK: Beginnings

    /// A page cannot say that a session shall be resumed.
    func possible(_ starts: [SessionStart]) async throws -> [SessionStart] { starts.filter { !$0.isResumed } }

    func times(of start: SessionStart) async throws -> StartTimes {
        var command = self.command("begin")
        command.kind = start.family == .webTransport ? "webtransport" : "websocket"
        let times = try await self.control.measure(command, as: BrowserTimes.self)
        return StartTimes(
            session: try Self.nanoseconds(times.session),
            firstEcho: try Self.nanoseconds(times.firstEcho)
        )
    }

    // MARK: Turns

    func withRoundTrips(
        _ transports: [TransportKind],
        _ progress: any ProgressReporting,
        _ body: (RoundTripTurn) async throws -> Void
    ) async throws {
        try await body { transport, messages in
            let begin = self.meter.read()
            let result = try await self.roundTrips(transport, messages: messages, warmUp: self.settings.warmUp)
            let count = messages + self.settings.warmUp * self.settings.connections
            return (result, self.meter.cost(of: count, since: begin))
        }
    }

    private func roundTrips(_ transport: TransportKind, messages: Int, warmUp: Int) async throws -> [TurnResult] {
        var command = self.command("roundTrips")
        command.transport = transport
        command.sessions = self.settings.connections
        let share = max(1, messages / self.settings.connections)
        command.messages = share
        command.warmUp = warmUp
        command.timeout = self.settings.datagramTimeout.nanoseconds / 1_000_000
        let result = try await self.control.measure(command, as: BrowserSessions<BrowserRoundTrips>.self)
        return try result.sessions.map { try $0.turn(of: share) }
    }

    func turn(_ transport: TransportKind, _ load: PacedLoad) async throws -> ([PacedOutcome], Cost) {
        var command = self.command("paced")
        command.transport = transport
        command.sessions = self.settings.connections
        command.load = load
        command.patience = self.settings.patience.nanoseconds / 1_000_000
        let begin = self.meter.read()
        let result = try await self.control.measure(command, as: BrowserSessions<BrowserOutcome>.self)
        let cost = self.meter.cost(of: load.count * self.settings.connections, since: begin)
        return (try result.sessions.map { try $0.outcome(load) }, cost)
    }

    private func command(_ name: String) -> BrowserCommand {
        BrowserCommand(id: 1, command: name, target: self.target, size: self.settings.size)
    }

    /// A page may give anything.
    /// - Throws: `BenchmarkError` for what is no duration of a measurement.
    fileprivate static func nanoseconds(_ number: Double) throws -> UInt64 {
        guard (0...3.6e12).contains(number) else {
            throw BenchmarkError(.unavailable, "the page in the browser sent \(number) as a duration")
        }
        return UInt64(number)
    }
}

extension BrowserRoundTrips {
    /// - Throws: `BenchmarkError` when it is not that of so many messages.
    fileprivate func turn(of messages: Int) throws -> TurnResult {
        guard (0...messages).contains(self.lost) else {
            throw BenchmarkError(.unavailable, "the page in the browser has lost \(self.lost) messages")
        }
        return TurnResult(nanoseconds: try self.nanoseconds.map(BrowserClient.nanoseconds), lost: self.lost)
    }
}

extension BrowserOutcome {
    /// - Throws: `BenchmarkError` when it is not that of the load.
    fileprivate func outcome(_ load: PacedLoad) throws -> PacedOutcome {
        guard self.ages.count == load.count, self.lateness.count == load.count else {
            throw BenchmarkError(.unavailable, "the page in the browser sent other messages than it was asked to")
        }
        return PacedOutcome(
            load: load,
            ages: try self.ages.map { try $0.map(BrowserClient.nanoseconds) },
            lateness: try self.lateness.map(BrowserClient.nanoseconds)
        )
    }
}
