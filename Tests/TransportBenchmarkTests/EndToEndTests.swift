import Credentials
import HTTPSemantics
import Logging
import NIOCore
import Testing
import WebSocket
import WebTransport

@testable import TransportBenchmark

@Suite("The harness against servers of this process", .timeLimit(.minutes(1)))
struct EndToEndTests {
    @Test("Every transport is measured, and nothing is lost on loopback")
    func everything() async throws {
        var settings = BenchmarkSettings()
        (settings.connections, settings.messages, settings.rounds) = (2, 40, 4)
        (settings.warmUp, settings.handshakes) = (2, 3)
        let asked = settings
        let progress = RecordedProgress()
        let result = try await EchoServers.run { target, loop in
            try await Benchmark(
                settings: asked,
                target: target,
                eventLoop: loop
            ).run(progress: progress)
        }
        for family in SessionFamily.allCases {
            #expect(result.handshakes[family].map { Summary($0).count } == 3)
        }
        for transport in TransportKind.allCases {
            let series = try #require(result.roundTrips[transport])
            #expect(Summary(series).count == 40, "\(transport)")
            #expect(series.lost == 0, "\(transport)")
            #expect(series.turnMedians.count == 4)
        }
        #expect(progress.activities.last == "Measuring round trips")
    }

    @Test("A datagram that cannot fit is refused before anything is measured")
    func tooLarge() async throws {
        var settings = BenchmarkSettings()
        settings.size = 20_000
        let asked = settings
        await #expect {
            try await EchoServers.run { target, loop in
                try await Benchmark(
                    settings: asked,
                    target: target,
                    eventLoop: loop
                ).run(progress: RecordedProgress())
            }
        } throws: { ($0 as? BenchmarkError)?.code == .usage }
    }

    @Test("An echo that differs is an error", arguments: [TransportKind.webTransportStream, .webSocket])
    func mismatch(transport: TransportKind) async throws {
        var settings = BenchmarkSettings()
        settings.transports = [transport]
        let asked = settings
        await #expect {
            try await EchoServers.run(falsifying: true) { target, loop in
                try await Benchmark(
                    settings: asked,
                    target: target,
                    eventLoop: loop
                ).run(progress: RecordedProgress())
            }
        } throws: { ($0 as? BenchmarkError)?.code == .protocolViolation }
    }

    @Test("Datagrams that are swallowed count as lost, and the others as measured")
    func loss() async throws {
        var settings = BenchmarkSettings()
        (settings.transports, settings.handshakes, settings.warmUp) = ([.webTransportDatagram], 0, 0)
        (settings.messages, settings.rounds, settings.datagramTimeout) = (10, 1, .milliseconds(100))
        let asked = settings
        let result = try await EchoServers.run(swallowing: 5) { target, loop in
            try await Benchmark(
                settings: asked,
                target: target,
                eventLoop: loop
            ).run(progress: RecordedProgress())
        }
        let summary = Summary(try #require(result.roundTrips[.webTransportDatagram]))
        #expect(summary.lost == 2)
        #expect(summary.count == 8)
    }
}
