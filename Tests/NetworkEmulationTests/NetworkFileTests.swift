import Foundation
import NetworkModel
import Testing

@testable import NetworkEmulation

@Suite("A network of a file")
struct NetworkFileTests {
    @Test("Every field is taken, in its unit")
    func everything() throws {
        let network = try Self.network(
            """
            {"name": "mine",
             "up": {"delayMilliseconds": 20.5, "jitterMilliseconds": 3, "reorders": true, "loss": 0.01,
                    "bandwidthMegabits": 1.5, "queuePackets": 20, "mtu": 1400},
             "down": {"delayMilliseconds": 0, "loss": {"goodToBad": 0.1, "badToGood": 0.5, "lossInBad": 0.75}}}
            """
        )
        #expect(network.name == "mine")
        let up = LinkConditions(delay: 20_500_000, jitter: 3_000_000, loss: .independent(0.01), bandwidth: 1_500_000)
        #expect(network.up == Link(up, reorders: true, queue: 20, mtu: 1_400))
        let model = GilbertElliott(.withPackets(goodToBad: 0.1, badToGood: 0.5), lossInGood: 0, lossInBad: 0.75)
        #expect(network.down == Link(LinkConditions(delay: 0, loss: .bursty(model))))
    }

    @Test("Loss that comes and goes with time is read with its times")
    func overTime() throws {
        let network = try Self.network(
            """
            {"both": {"delayMilliseconds": 1,
             "loss": {"meanGoodMilliseconds": 500, "meanBadMilliseconds": 20.5, "lossInGood": 0.001}}}
            """
        )
        let model = GilbertElliott(.overTime(good: 500_000_000, bad: 20_500_000), lossInGood: 0.001, lossInBad: 1)
        #expect(network.up.conditions.loss == .bursty(model))
    }

    @Test("Both directions may be given at once; without a name the file's is taken")
    func both() throws {
        let network = try Self.network(#"{"both": {"delayMilliseconds": 7}}"#)
        #expect(network.up == network.down)
        #expect(network.up.conditions.delay == 7_000_000)
        #expect(network.name == "network")
    }

    @Test("A trace is found beside the file; an empty cell is as configured")
    func trace() throws {
        let network = try Self.network(
            #"{"both": {"delayMilliseconds": 7, "trace": "trace.csv", "tracePeriodSeconds": 3}}"#,
            trace: "timeMilliseconds, loss,bandwidthMegabits\r\n0,,8\r\n1500.5,0.5,\r\n\r\n"
        )
        let rows = [Trace.Row(time: 0, bandwidth: 8_000_000), Trace.Row(time: 1_500_500_000, loss: 0.5)]
        #expect(network.up.trace == Trace(rows: rows, period: 3_000_000_000))
    }

    @Test(
        "A wrong field is named with its value and what is allowed",
        arguments: [
            (#"{"delayMilliseconds": -1}"#, "up.delayMilliseconds is -1; it must be a number from 0 to 10000"),
            (#"{"delayMilliseconds": 1e300}"#, "up.delayMilliseconds is 1e+300; it must be a number from 0 to 10000"),
            (#"{"delayMilliseconds": true}"#, "up.delayMilliseconds is true; it must be a number from 0 to 10000"),
            (#"{"delayMilliseconds": null}"#, "up.delayMilliseconds is null; it must be a number from 0 to 10000"),
            (#"{}"#, "up: delayMilliseconds is missing"),
            (#"[]"#, "up is a list; it must be an object"),
            (
                #"{"delayMilliseconds": 1, "jitterMilliseconds": 2}"#,
                "up.jitterMilliseconds is 2; it must be a number from 0 to 1"
            ),
            (#"{"delayMilliseconds": 1, "loss": 1.5}"#, "up.loss is 1.5; it must be a number from 0 to 1"),
            (
                #"{"delayMilliseconds": 1, "loss": {"goodToBad": 1}}"#,
                "up.loss: either goodToBad and badToGood or meanGoodMilliseconds and meanBadMilliseconds must be there"
            ),
            (
                #"{"delayMilliseconds": 1, "loss": {"goodToBad": 1, "badToGood": 2}}"#,
                "up.loss.badToGood is 2; it must be a number from 0 to 1"
            ),
            (
                #"{"delayMilliseconds": 1, "bandwidthMegabits": 0}"#,
                "up.bandwidthMegabits is 0; it must be a number from 0.001 to 100000"
            ),
            (
                #"{"delayMilliseconds": 1, "queuePackets": 1.5}"#,
                "up.queuePackets is 1.5; it must be a whole number from 1 to 100000"
            ),
            (#"{"delayMilliseconds": 1, "mtu": 500}"#, "up.mtu is 500; it must be a whole number from 1280 to 65535"),
            (#"{"delayMilliseconds": 1, "reorders": 1}"#, "up.reorders is 1; it must be true or false"),
            (#"{"delayMilliseconds": 1, "tracePeriodSeconds": 1}"#, "up: tracePeriodSeconds is there without a trace"),
            (#"{"delayMilliseconds": 1, "dealy": 1}"#, #"up."dealy" is no field; there are delayMilliseconds"#),
        ]
    )
    func wrongField(link: String, message: String) throws {
        let error = try Self.error(#"{"up": \#(link), "down": {"delayMilliseconds": 1}}"#)
        #expect(error.code == .usage)
        #expect(error.message.contains(message), "\(error.message)")
        #expect(error.message.contains("network.json"))
    }

    @Test(
        "What is no description of a network is refused",
        arguments: [
            "", "{", "[]", "NaN", #"{"both": NaN}"#, #"{"both": {"delayMilliseconds": NaN}}"#,
            #"{"up": {"delayMilliseconds": 1}}"#, "{}",
            #"{"both": {"delayMilliseconds": 1}, "up": {"delayMilliseconds": 1}}"#,
            #"{"both": {"delayMilliseconds": 1}, "name": ""}"#,
            #"{"both": {"delayMilliseconds": 1}, "name": "a\u001b[2Jb"}"#,
            String(repeating: "[", count: 50_000),
        ]
    )
    func noNetwork(content: String) throws {
        #expect(try Self.error(content).code == .usage)
    }

    @Test(
        "A wrong trace is refused by its line",
        arguments: [
            ("", "line 1 must name the columns"), ("delayMilliseconds\n1\n", "line 1 must name the columns"),
            ("timeMilliseconds,timeMilliseconds\n1,2\n", "line 1 must name the columns"),
            ("timeMilliseconds,x\n1,2\n", "line 1 must name the columns"),
            ("timeMilliseconds\n", "has no rows"),
            ("timeMilliseconds,loss\n0,0\n0,1\n", "line 3: timeMilliseconds is 0; it must be above"),
            ("timeMilliseconds,loss\n0,nan\n", #"line 2: loss is "nan"; it must be a number from 0 to 1"#),
            ("timeMilliseconds,loss\n0,-0.5\n", #"line 2: loss is "-0.5"; it must be a number from 0 to 1"#),
            ("timeMilliseconds,bandwidthMegabits\n0,inf\n", "line 2: bandwidthMegabits"),
            ("timeMilliseconds,loss\n,0\n", "line 2: timeMilliseconds is missing"),
            ("timeMilliseconds\n" + (0...10_000).map { "\($0)\n" }.joined(), "more than 10000 rows"),
        ]
    )
    func wrongTrace(content: String, message: String) throws {
        let error = try Self.error(#"{"both": {"delayMilliseconds": 1, "trace": "trace.csv"}}"#, trace: content)
        #expect(error.message.contains(message), "\(error.message)")
        #expect(error.message.contains("trace.csv"))
    }

    @Test("A trace that begins anew before its last row is refused")
    func shortPeriod() throws {
        let error = try Self.error(
            #"{"both": {"delayMilliseconds": 1, "trace": "trace.csv", "tracePeriodSeconds": 1}}"#,
            trace: "timeMilliseconds\n0\n1000\n"
        )
        #expect(error.message.contains("tracePeriodSeconds"))
    }

    @Test("What never ends, is no file, or is too large is not read", arguments: ["/dev/zero", "/dev/stdin", "/tmp"])
    func unreadable(path: String) {
        let error = #expect(throws: NetworkError.self) { try Network(nameOrFile: path) }
        #expect(error?.code == .unreadable)
    }

    @Test("A large file is refused, before it is parsed")
    func large() throws {
        #expect(try Self.error(String(repeating: " ", count: 200_000)).code == .unreadable)
    }

    @Test("A word that is neither a network nor a file is answered with the names")
    func unknownName() throws {
        let error = #expect(throws: NetworkError.self) { try Network(nameOrFile: "5g") }
        #expect(error?.code == .usage)
        #expect(error?.message.contains("wifi-lossy") == true)
        #expect(try Network(nameOrFile: "4g").name == "4g")
    }

    private static func error(_ content: String, trace: String? = nil) throws -> NetworkError {
        try #require(throws: NetworkError.self) { try Self.network(content, trace: trace) }
    }

    private static func network(_ content: String, trace: String? = nil) throws -> Network {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let file = directory.appendingPathComponent("network.json")
        try Data(content.utf8).write(to: file)
        if let trace { try Data(trace.utf8).write(to: directory.appendingPathComponent("trace.csv")) }
        return try Network(nameOrFile: file.path)
    }
}
