import Credentials
import Foundation
import HTTPSemantics
import Testing

@testable import TransportBenchmark

@Suite("What people see")
struct ReportTests {
    @Test(
        "A duration has three digits and the unit that fits",
        arguments: [
            (0, "0 ns"), (7, "7 ns"), (999, "999 ns"), (1_000, "1.00 µs"), (1_049, "1.05 µs"), (48_249, "48.2 µs"),
            (482_490, "482 µs"), (999_499, "999 µs"), (999_500, "1.00 ms"), (12_345_678, "12.3 ms"),
            (1_000_000_000, "1.00 s"), (61_000_000_000, "61.0 s"),
        ] as [(UInt64, String)]
    )
    func duration(nanoseconds: UInt64, text: String) {
        #expect(DurationFormat.text(nanoseconds) == text)
    }

    @Test("Columns line up: names to the left, figures to the right")
    func table() {
        var table = TextTable(heading: ["transport", "p50"])
        table.append(["ws", "48.2 µs"])
        #expect(table.lines == ["transport      p50", "ws         48.2 µs"])
    }

    @Test("The plot puts every distribution on one axis, within 80 columns")
    func plot() {
        let lines = PercentilePlot.lines([("ws", Self.summary(10_000)), ("wt-stream", Self.summary(40_000))])
        #expect(lines.count == 4)
        #expect(lines.allSatisfy { $0.count <= 80 })
        let medians = lines.prefix(2).compactMap { Array($0).firstIndex(of: "●") }
        #expect(medians.count == 2)
        #expect(medians[0] < medians[1])
        #expect(lines[3].contains("20 µs"))
    }

    @Test("An axis that lies between two marks has finer ones")
    func fineAxis() throws {
        let axis = try #require(LogarithmicAxis(from: 6_500_000, to: 9_500_000, width: 58))
        let labels = axis.lines[1].split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
        #expect(labels == "7 ms 8 ms 9 ms")
    }

    @Test("No plot without measurements, and one for a single value")
    func smallPlots() {
        #expect(PercentilePlot.lines([("ws", Summary(Series()))]).isEmpty)
        var series = Series()
        series.record(50_000)
        #expect(PercentilePlot.lines([("ws", Summary(series))]).first == "ws  ●")
    }

    @Test("A bar fills with the share that is done")
    func progress() {
        #expect(ProgressBar.text("Warming up", 1, of: 2).contains("50 %  Warming up"))
        #expect(ProgressBar.text("x", 0, of: 4).filter { $0 == "█" }.isEmpty)
        #expect(ProgressBar.text("x", 4, of: 4).filter { $0 == "█" }.count == 30)
    }

    @Test("The report compares with ws, and says what was lost")
    func report() throws {
        let text = BenchmarkReport(try Self.record()).text
        #expect(text.contains("2.00×"))
        #expect(text.contains("1.00×"))
        #expect(text.contains("Lost: no echo within 1000 ms"))
        #expect(text.contains("Time to the first echo"))
        #expect(!text.contains("not optimised"))
    }

    @Test(
        "Each scenario whose messages have their times says what counts, within 80 columns",
        arguments: [
            (Scenario.latency, "100 messages a second"), (.headOfLine, "8 sequences"), (.state, "100 %"),
            (.throughput, "16 KiB at a time"),
        ]
    )
    func paced(scenario: Scenario, phrase: String) throws {
        let text = BenchmarkReport(try Self.record([scenario])).text
        #expect(text.contains(phrase))
        #expect(text.contains("began to send within 10.0 µs"))
        #expect(text.contains("wt-stream"))
        #expect(text.split(separator: "\n").filter { $0.count > 80 } == [])
    }

    @Test("The JSON holds everything again")
    func json() throws {
        let record = try Self.record(Scenario.allCases)
        #expect(record.paced.map(\.scenario) == [.latency, .headOfLine, .throughput, .state])
        let data = try record.json()
        #expect(data.last == UInt8(ascii: "\n"))
        #expect(try JSONDecoder().decode(BenchmarkRecord.self, from: data) == record)
        let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(object["schemaVersion"] as? Int == 2)
        #expect(object["date"] as? String == "1970-01-01T00:00:00Z")
    }

    @Test("An output file appears whole, and not at all when it is discarded")
    func outputFile() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let discarded = try OutputFile(path: "\(directory)/a.json")
        discarded.discard()
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == [])
        let file = try OutputFile(path: "\(directory)/a.json")
        try file.write(Data("x".utf8))
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["a.json"])
        for path in [directory, "\(directory)/missing/a.json"] {
            let error = #expect(throws: BenchmarkError.self) { try OutputFile(path: path) }
            #expect(error?.code == .cannotCreate)
        }
    }

    @Test("The line by which a server says that it is ready is read, and nothing else is")
    func readyLine() {
        let hash = String(repeating: "ab", count: 32)
        let line = #"{"ready":true,"port":4433,"httpPort":8080,"certificateSHA256":"\#(hash)","urls":[]}"#
        #expect(ServerProcess(readyLine: line, host: "127.0.0.1", process: 7)?.authority == "127.0.0.1:4433")
        #expect(ServerProcess(readyLine: line, host: "127.0.0.1", process: 7)?.fingerprint.hexadecimal == hash)
        #expect(ServerProcess(readyLine: "hello", host: "127.0.0.1", process: 7) == nil)
        #expect(ServerProcess(readyLine: line.replacing("true", with: "false"), host: "127.0.0.1", process: 7) == nil)
    }

    private static func summary(_ median: UInt64) -> Summary {
        var series = Series()
        for value in [median / 2, median, median, median * 3] { series.record(value) }
        return Summary(series)
    }

    /// Of two messages.
    private static let cost = Cost(
        count: 2,
        client: ProcessUse(processorNanoseconds: 100_000, contextSwitches: 3),
        server: ProcessUse(processorNanoseconds: 80_000, contextSwitches: 4),
        wire: WireUse(bytes: 600, packets: 5)
    )

    static func record(_ scenarios: [Scenario] = Scenario.usual) throws -> BenchmarkRecord {
        var (slow, fast) = (RoundTripSeries(), RoundTripSeries())
        slow.record([TurnResult(nanoseconds: [100_000], lost: 1)], cost: Self.cost, patience: 1_000_000_000)
        fast.record([TurnResult(nanoseconds: [50_000])], cost: Self.cost, patience: 1_000_000_000)
        var settings = BenchmarkSettings()
        settings.scenarios = scenarios
        var start = StartSeries()
        start.record(StartTimes(session: 1_000_000, firstEcho: 1_500_000), cost: Self.cost)
        var result = BenchmarkResult()
        result.handshakes = [.webTransport: start, .webSocket: start]
        result.roundTrips = [.webTransportDatagram: slow, .webSocket: fast]
        for scenario in scenarios {
            guard let load = settings.load(for: scenario) else { continue }
            var series = PacedSeries()
            let outcome = PacedOutcome(
                load: load,
                ages: Array(repeating: 1_000_000, count: load.count),
                lateness: Array(repeating: 10_000, count: load.count),
                bulkByteCount: 2_500_000,
                wholeBulkByteCount: 3_000_000
            )
            series.record([outcome], cost: Self.cost, patience: 3_000_000_000)
            if load.bulkSize != nil { series.record(quiet: [outcome]) }
            result.paced[scenario] = [.webTransportStream: series, .webSocket: series]
        }
        return try Self.record(of: result, settings)
    }

    static func record(of result: BenchmarkResult, _ settings: BenchmarkSettings = .init()) throws -> BenchmarkRecord {
        try BenchmarkRecord(
            result,
            settings: settings,
            target: BenchmarkTarget(
                url: #require(SessionURL("https://h")),
                credentials: ClientCredentials(verification: .none)
            ),
            versions: BenchmarkVersions(apus: "1", ngtcp2: "2", nghttp3: "3", gnutls: "4", build: "release"),
            machine: MachineFacts(processor: "p", coreCount: 2, kernel: "k", memoryByteCount: 1),
            date: Date(timeIntervalSince1970: 0)
        )
    }
}
