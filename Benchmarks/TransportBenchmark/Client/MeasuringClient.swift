/// Who opens sessions and sends messages: this program, or a browser.
protocol MeasuringClient: Sendable {
    /// Makes a turn of round trips: so many, over all sessions of a transport.
    typealias RoundTripTurn = (TransportKind, Int) async throws -> ([TurnResult], Cost)

    /// Has a message echoed over each transport.
    /// - Throws: `BenchmarkError` that says what the target does not offer.
    func tryEach(_ transports: [TransportKind]) async throws

    /// Those ways to begin that both the client and the target know.
    func possible(_ starts: [SessionStart]) async throws -> [SessionStart]

    /// Opens a session, has one message echoed, closes it, and tells how long that took from the beginning.
    /// - Throws: `BenchmarkError`; with `notResumed` when a handshake that should continue another one does not.
    func times(of start: SessionStart) async throws -> StartTimes

    /// Has sessions warmed up for the time of `body`, or for each of its turns.
    func withRoundTrips(
        _ transports: [TransportKind],
        _ progress: any ProgressReporting,
        _ body: (RoundTripTurn) async throws -> Void
    ) async throws

    /// Opens the sessions of a transport, sends messages at their times on all of them, and closes them.
    func turn(_ transport: TransportKind, _ load: PacedLoad) async throws -> ([PacedOutcome], Cost)
}
