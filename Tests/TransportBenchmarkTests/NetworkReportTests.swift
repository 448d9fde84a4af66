import Foundation
import NetworkEmulation
import NetworkModel
import Testing

@testable import TransportBenchmark

@Suite("An emulated network in a report")
struct NetworkReportTests {
    @Test("Loss observed stands beside loss configured, for each direction")
    func loss() throws {
        let text = try Self.lines().joined(separator: "\n")
        #expect(text.contains("Network wifi-lossy, emulated, seed 7"))
        #expect(text.contains("3.00 % in bursts of 20 ms"))
        #expect(text.contains("2.50 %"))
        #expect(text.contains("p99 300 µs"))
        #expect(text.contains("\nup ") && text.contains("\ndown "))
    }

    @Test(
        "Bandwidths are as configured",
        arguments: [("3g", "0.75 Mbit/s"), ("4g", " 30 Mbit/s"), ("lan", " 1 Gbit/s")]
    )
    func bandwidth(network: String, text: String) throws {
        #expect(try Self.lines(network).contains { $0.contains(text) })
    }

    @Test("It fits a terminal", arguments: Network.named.map(\.name))
    func width(network: String) throws {
        #expect(try Self.lines(network).allSatisfy { $0.count <= 90 })
    }

    private static func lines(_ name: String = "wifi-lossy") throws -> [String] {
        // As the emulator's process writes it.
        let direction = """
            {"counts": {"packets": 100000, "bytes": 1, "lost": 2500, "dropped": 0, "reordered": 3, "largestQueue": 4},
             "configuredLoss": 0.03, "observedLoss": 0.025, "undeliverable": 0,
             "delay": {"count": 1, "p50": 5000000, "p90": 6000000, "p99": 7000000, "max": 8000000},
             "lateness": {"count": 1, "p50": 5000, "p90": 10000, "p99": 300000, "max": 400000}}
            """
        let report = try JSONDecoder().decode(
            EmulationReport.self,
            from: Data(#"{"up": \#(direction), "down": \#(direction)}"#.utf8)
        )
        let network = try Network(nameOrFile: name)
        return NetworkReport.lines(NetworkRecord(EmulationRequest(network: network, seed: 7), report: report))
    }
}
