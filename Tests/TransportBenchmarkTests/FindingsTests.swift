import Foundation
import Testing

@testable import TransportBenchmark

@Suite("What a measurement shows, in sentences, on a page and in a table")
struct FindingsTests {
    /// Five turns in which a stream for each sequence has a tenth of the ages, and a datagram as much as a WebSocket.
    private static func record(_ scenario: Scenario = .headOfLine) throws -> BenchmarkRecord {
        var record = try ReportTests.record([scenario])
        let load = try #require(scenario.load)
        let series = { (age: UInt64) in
            var series = PacedSeries()
            for turn in 0..<5 {
                let outcome = PacedOutcome(
                    load: load,
                    ages: Array(repeating: age + UInt64(turn), count: load.count),
                    lateness: Array(repeating: 1, count: load.count)
                )
                series.record([outcome], cost: .none, patience: 3_000_000_000)
            }
            return series
        }
        record.paced = [
            PacedRecord(
                scenario,
                load: load,
                [
                    (.webTransportDatagram, series(10_000_000)), (.webTransportStreamPerSequence, series(1_000_000)),
                    (.webTransportStreamPerMessage, series(20_000_000)), (.webSocket, series(10_000_000)),
                ]
            )
        ]
        return record
    }

    @Test(
        "A transport is better, worse or not shown to differ, as its interval says, and a cause is given where it applies"
    )
    func sentences() throws {
        let finding = try #require(Findings(Self.record()).all.last)
        let text = finding.sentences.joined(separator: " ")
        #expect(text.contains("shorter than over ws: wt-stream-per-sequence (0.10×"))
        #expect(text.contains("longer than over ws: wt-bidi-per-message (2.00×"))
        #expect(text.contains("no difference shown: wt-datagram"))
        #expect(text.contains("Youngest: wt-stream-per-sequence with 1.00 ms; ws 10.0 ms."))
        #expect(try #require(finding.cause).contains("RFC 9000"))
        // A state that is not less stale over datagrams has nothing to explain.
        #expect(try #require(Findings(Self.record(.state)).all.last).cause == nil)
    }

    @Test(
        "What never came back is older than all that did, and no transport that loses more than one of 100 is the youngest"
    )
    func losses() throws {
        var record = try Self.record()
        let load = try #require(Scenario.headOfLine.load)
        var (lossy, whole) = (PacedSeries(), PacedSeries())
        for _ in 0..<5 {
            // One of twenty is lost, the others come in a tenth of the time.
            let ages = (0..<load.count).map { $0 % 20 == 0 ? nil : UInt64(1_000_000) }
            let lateness = Array(repeating: UInt64(1), count: load.count)
            lossy.record(
                [PacedOutcome(load: load, ages: ages, lateness: lateness)],
                cost: .none,
                patience: 3_000_000_000
            )
            whole.record(
                [PacedOutcome(load: load, ages: ages.map { _ in 10_000_000 }, lateness: lateness)],
                cost: .none,
                patience: 3_000_000_000
            )
        }
        record.paced = [PacedRecord(.headOfLine, load: load, [(.webTransportDatagram, lossy), (.webSocket, whole)])]
        let text = try #require(Findings(record).all.last).sentences.joined(separator: " ")
        #expect(text.contains("longer than over ws: wt-datagram (300.00×"))
        #expect(text.contains("Youngest: ws with 10.0 ms."))
        #expect(text.contains("Without an echo: wt-datagram 5.00 %."))
    }

    @Test("Resumed sessions are compared with resumed ones")
    func resumed() throws {
        var result = BenchmarkResult()
        for (start, time) in [(SessionStart.webTransportResumed, 80), (.webSocket, 100), (.webSocketResumed, 40)] {
            var series = StartSeries()
            for _ in 0..<5 { series.record(StartTimes(session: UInt64(time), firstEcho: UInt64(time)), cost: .none) }
            result.handshakes[start] = series
        }
        let record = try ReportTests.record(of: result)
        #expect(record.handshakes.first { $0.transport == .webTransportResumed }?.comparison?.ratio == 2)
        let text = try #require(Findings(record).all.first).sentences.joined(separator: " ")
        #expect(text.contains("longer than over ws: wt-resumed (2.00×"))
        #expect(text.contains("without an earlier session: ws"))
    }

    @Test("Too few turns, or too busy a machine, show nothing, and the page says so")
    func nothing() throws {
        let few = try ReportTests.record()
        #expect(Findings(few).all.isEmpty)
        #expect(HTMLReport([few]).html.contains("Nothing is compared"))
        var busy = try Self.record()
        busy.add(Noise(elapsed: 1_000, coreCount: 2, others: 900, stolen: 0))
        #expect(busy.paced[0].transports.allSatisfy { $0.comparison == nil }, "nor does the file say anything")
        #expect(Findings(busy).all.isEmpty)
        #expect(HTMLReport([busy]).html.contains("Nothing is concluded: other programs used 0.90"))
        #expect(BenchmarkReport(busy).text.contains("No comparison: other programs used 0.90"))
        #expect(!BenchmarkReport(busy).text.contains("What this shows"))
    }

    @Test("The text ends with what it shows, within 80 columns")
    func text() throws {
        let text = BenchmarkReport(try Self.record()).text
        let findings = text[try #require(text.range(of: "What this shows:")).lowerBound...]
        #expect(findings.contains("Independent sequences"))
        #expect(findings.split(separator: "\n").filter { $0.count > 80 } == [])
    }

    @Test("Lines break between words, and a word that fits no line stands alone")
    func wrapping() {
        #expect(TextWrap.lines("a bb ccc", first: "- ", next: "  ", width: 6) == ["- a bb", "  ccc"])
        #expect(TextWrap.lines("aaaaaaaaa b", first: "", next: "", width: 4) == ["aaaaaaaaa", "b"])
        #expect(TextWrap.lines("", first: "- ", next: "", width: 4) == ["- "])
    }

    @Test("The page needs nothing else, and what comes from a file or the network is text on it")
    func page() throws {
        var record = try Self.record()
        record.settings.target = "https://h/<script>alert(\"1\")</script>"
        record.client.version = "<b>"
        let html = HTMLReport([record, record]).html
        #expect(!html.contains("<script") && !html.contains("<b>"))
        #expect(html.contains("&lt;script&gt;alert(&quot;1&quot;)"))
        for reference in ["src=", "@import", "url(", "<link"] { #expect(!html.contains(reference)) }
        // Two sections that the heading leads to, with a curve for each transport.
        #expect(html.contains("href=\"#r1\"") && html.contains("id=\"r1\""))
        #expect(html.components(separatedBy: "<path class=\"s0\"").count > 2)
        #expect(html.components(separatedBy: "<path class=\"dots s3\"").count == 3)
        #expect(html.components(separatedBy: "<svg").count == html.components(separatedBy: "</svg>").count)
    }

    @Test("A percentile curve rises from the least to the largest, and each nine is as wide as the one before")
    func curve() throws {
        var series = Series()
        for (value, count) in [(10, 50), (20, 40), (30, 9), (40, 1)] as [(UInt64, Int)] {
            for _ in 0..<count { series.record(value) }
        }
        let data = HistogramData(series.histogram)
        let curve = PercentileCurve.make("x", data)
        #expect(curve.points.first?.x == 0 && curve.points.first?.nanoseconds == 10)
        #expect(curve.points.last?.x == 1 && curve.points.last?.nanoseconds == 40)
        let ninety = try #require(curve.points.first { $0.nanoseconds == 30 })
        #expect(abs(ninety.x - 1.0 / 3) < 1e-9)
        #expect(zip(curve.points, curve.points.dropFirst()).allSatisfy { $0.x <= $1.x })
    }

    @Test("Fields that hold what separates are quoted, and no field is taken for a formula (RFC 4180)")
    func csv() throws {
        var record = try Self.record()
        record.client.program = "=cmd,\"x\"\ny"
        let lines = CSVReport([record]).text.components(separatedBy: "\r\n")
        #expect(lines[0].hasPrefix("date,network,client,scenario,transport,measure,count"))
        #expect(lines[1].contains(",\"'=cmd,\"\"x\"\"\ny\",handshake,wt,session,1,0,"))
        #expect(lines.last?.isEmpty == true, "the last line ends, too")
        let ages = lines.filter { $0.contains(",head-of-line,") && $0.contains(",age,") }
        #expect(ages.count == 4)
        #expect(ages.contains { $0.contains("wt-stream-per-sequence") && $0.contains(",0.1") })
    }
}

@Suite("Files of results")
struct RecordFileTests {
    private func withFile(_ content: String, _ body: (String) throws -> Void) throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let file = directory.appending(path: "record.json")
        try Data(content.utf8).write(to: file)
        try body(file.path)
    }

    @Test("What was written is read again")
    func roundTrip() throws {
        let record = try ReportTests.record(Scenario.allCases)
        try self.withFile(String(decoding: try record.json(), as: UTF8.self)) { path in
            let read = try BenchmarkRecord(reading: path)
            #expect(read == record)
        }
    }

    @Test(
        "Anything else is refused with what it is",
        arguments: [
            ("", "no file of"), ("[]", "no file of"), (#"{"schemaVersion": 1}"#, "has version 1"),
            (#"{"schemaVersion": 2}"#, "is damaged"), (#"{"schemaVersion": 99999999999999999999}"#, "no file of"),
        ]
    )
    func refused(content: String, text: String) throws {
        try self.withFile(content) { path in
            let error = #expect(throws: BenchmarkError.self) { try BenchmarkRecord(reading: path) }
            #expect(error?.code == .unreadable && error?.message.contains(text) == true)
        }
        let error = #expect(throws: BenchmarkError.self) { try BenchmarkRecord(reading: "/nowhere.json") }
        #expect(error?.message.contains("cannot be read") == true)
    }
}
