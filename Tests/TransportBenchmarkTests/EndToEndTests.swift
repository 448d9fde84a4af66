import Credentials
import HTTPSemantics
import Logging
import NIOCore
import Testing
import WebSocket
import WebTransport

@testable import TransportBenchmark

// One after the other: each keeps a loop busy.
@Suite("The harness against servers of this process", .serialized, .timeLimit(.minutes(1)))
struct EndToEndTests {
    @Test("Every transport is measured, and nothing is lost on loopback")
    func everything() async throws {
        var settings = BenchmarkSettings()
        (settings.connections, settings.messages, settings.rounds) = (2, 40, 4)
        (settings.warmUp, settings.handshakes, settings.transports) = (2, 3, TransportKind.allCases)
        let asked = settings
        let progress = RecordedProgress()
        let result = try await EchoServers.run { target, loop in
            try await Benchmark(
                settings: asked,
                target: target,
                eventLoop: loop
            ).run(progress: progress)
        }
        for start in SessionStart.allCases {
            #expect(result.handshakes[start].map { Summary($0.session).count } == 3, "\(start)")
            #expect(result.handshakes[start].map { Summary($0.firstEcho).count } == 3, "\(start)")
        }
        for transport in asked.transports(for: .roundTrip) {
            let series = try #require(result.roundTrips[transport])
            #expect(Summary(series.times).count == 40, "\(transport)")
            #expect(series.times.lost == 0, "\(transport)")
            #expect(series.times.turnMedians.count == 4)
            #expect(series.cost.count == 40)
            // Both ends are threads of this process; nothing is known of another.
            #expect(series.cost.client.processorNanoseconds > 0)
            #expect(series.cost.server == nil)
            #expect(try #require(series.cost.wire).bytes > 40 * 2 * UInt64(asked.size))
        }
        #expect(progress.activities.last == "Measuring round trips")
    }

    @Test("Where TLS sessions are not resumed the other ways to begin are measured")
    func withoutResumption() async throws {
        var settings = BenchmarkSettings()
        (settings.scenarios, settings.handshakes, settings.transports) = ([.handshake], 2, TransportKind.allCases)
        let asked = settings
        let result = try await Self.measure(asked, resuming: false)
        #expect(
            Set(result.handshakes.keys) == [
                .webTransport, .webTransportResumed, .webSocket, .webSocketHTTP2, .webSocketHTTP3,
                .webSocketHTTP3Resumed,
            ]
        )
    }

    private static func measure(
        _ settings: BenchmarkSettings,
        falsifying: Bool = false,
        swallowing: Int? = nil,
        resuming: Bool = true
    ) async throws -> BenchmarkResult {
        try await EchoServers.run(falsifying: falsifying, swallowing: swallowing, resuming: resuming) { target, loop in
            try await Benchmark(settings: settings, target: target, eventLoop: loop).run(progress: RecordedProgress())
        }
    }

    @Test("A datagram that cannot fit is refused before anything is measured")
    func tooLarge() async throws {
        var settings = BenchmarkSettings()
        settings.size = 20_000
        let asked = settings
        await #expect {
            try await Self.measure(asked)
        } throws: { ($0 as? BenchmarkError)?.code == .usage }
    }

    @Test("An echo that differs is an error", arguments: [TransportKind.webTransportStream, .webSocket])
    func mismatch(transport: TransportKind) async throws {
        var settings = BenchmarkSettings()
        settings.transports = [transport]
        let asked = settings
        await #expect {
            try await Self.measure(asked, falsifying: true)
        } throws: { ($0 as? BenchmarkError)?.code == .protocolViolation }
    }

    @Test("Datagrams that are swallowed count as lost, and the others as measured")
    func loss() async throws {
        var settings = BenchmarkSettings()
        (settings.transports, settings.handshakes, settings.warmUp) = ([.webTransportDatagram], 0, 0)
        (settings.messages, settings.rounds, settings.datagramTimeout) = (10, 1, .milliseconds(100))
        let asked = settings
        let result = try await Self.measure(asked, swallowing: 5)
        let summary = Summary(try #require(result.roundTrips[.webTransportDatagram]).times)
        #expect(summary.lost == 2)
        #expect(summary.count == 8)
    }

    /// Few messages, at their times.
    private static func paced(_ scenarios: [Scenario]) -> BenchmarkSettings {
        var settings = BenchmarkSettings()
        (settings.scenarios, settings.connections, settings.rounds) = (scenarios, 2, 2)
        (settings.rate, settings.sequences) = (50, 3)
        (settings.seconds, settings.warmUpSeconds) = (0.1, 0.1)
        // No longer than it takes, unless something is missing.
        settings.patience = .seconds(30)
        return settings
    }

    @Test(
        "Messages with their times come back over every transport",
        arguments: [Scenario.latency, .headOfLine, .throughput, .state]
    )
    func paced(scenario: Scenario) async throws {
        var settings = Self.paced([scenario])
        settings.transports = TransportKind.allCases
        let asked = settings
        let result = try await Self.measure(asked)
        let measured = try #require(result.paced[scenario])
        for transport in TransportKind.allCases {
            let series = try #require(measured[transport])
            // Two rounds of 15 messages on each of two sessions.
            #expect(Summary(series.ages).count + series.ages.lost == 60, "\(transport)")
            #expect(Summary(series.lateness).count == 60)
            // Nothing is lost here, but a datagram may find a full queue on a machine that has stopped for a while.
            if transport != .webTransportDatagram { #expect(series.ages.lost == 0, "\(transport)") }
            // Streams of their own may overtake each other; nothing else does.
            if transport.family != .webTransport { #expect(series.fresh == 60) }
            if scenario == .throughput {
                // What came back in a tenth of a second, which on a busy machine may be nothing; later it has come.
                #expect(series.turnRates.count == 2)
                #expect(Summary(series.quietAges).count + series.quietAges.lost == 60)
                #expect(series.cost.count >= 2 * 16_384)
            } else {
                #expect(series.turnRates.isEmpty)
                #expect(Summary(series.staleness).count > 0)
                // With those of the warm-up: 0.2 s at 150 a second, in two rounds on two sessions.
                #expect(series.cost.count == 120)
            }
        }
        #expect(result.roundTrips.isEmpty)
    }

    @Test("An echo that differs is an error at fixed times, too", arguments: TransportKind.allCases)
    func pacedMismatch(transport: TransportKind) async throws {
        var settings = Self.paced([.headOfLine])
        settings.transports = [transport]
        let asked = settings
        await #expect {
            try await Self.measure(asked, falsifying: true)
        } throws: { ($0 as? BenchmarkError)?.code == .protocolViolation }
    }

    @Test("Datagrams that are swallowed are lost and leave the state stale")
    func pacedLoss() async throws {
        var settings = Self.paced([.state])
        (settings.transports, settings.connections, settings.patience) = (
            [.webTransportDatagram], 1, .milliseconds(100)
        )
        let asked = settings
        // Of 15 datagrams of the warm-up and 15 that count, in each turn.
        let result = try await Self.measure(asked, swallowing: 3)
        let series = try #require(result.paced[.state]?[.webTransportDatagram])
        #expect(series.ages.lost >= 10)
        #expect(Summary(series.ages).count <= 20)
        #expect(series.fresh <= 20)
    }

    @Test("Who ends a run keeps what was measured until then, and hears when that is nothing")
    func interruption() async throws {
        var settings = Self.paced([.handshake, .latency])
        (settings.handshakes, settings.rounds) = (1, 1_000)
        let asked = settings
        for (activity, isEmpty) in [("Measuring latency", false), ("Trying each transport once", true)] {
            let result = try await EchoServers.run { target, loop in
                let progress = SignallingProgress(activity)
                return try await withThrowingTaskGroup(of: Result<BenchmarkResult, any Error>.self) { group in
                    group.addTask {
                        let benchmark = Benchmark(settings: asked, target: target, eventLoop: loop)
                        do { return .success(try await benchmark.run(progress: progress)) } catch {
                            return .failure(error)
                        }
                    }
                    for await _ in progress.reached { break }
                    group.cancelAll()
                    return try #require(try await group.next())
                }
            }
            if isEmpty {
                #expect(throws: CancellationError.self) { try result.get() }
            } else {
                let kept = try result.get()
                #expect(kept.isInterrupted)
                #expect(kept.handshakes[.webSocket].map { Summary($0.session).count } == 1)
            }
        }
    }
}

/// Tells when a measurement has come to something.
private struct SignallingProgress: ProgressReporting {
    let reached: AsyncStream<Void>
    private let source: AsyncStream<Void>.Continuation
    private let activity: String

    init(_ activity: String) {
        (self.reached, self.source) = AsyncStream.makeStream()
        self.activity = activity
    }

    func update(_ activity: String, _ done: Int, of total: Int) {
        if activity == self.activity { self.source.yield() }
    }
}
