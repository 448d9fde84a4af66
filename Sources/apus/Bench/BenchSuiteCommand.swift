import ArgumentParser
import Foundation
import NetworkEmulation
import NetworkModel
import TransportBenchmark

/// `apus bench suite`
struct BenchSuiteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "suite",
        abstract: "Measure everything, on several networks, and write one page.",
        discussion: """
            --quick takes about three minutes: sessions and bulk data on loopback, independent sequences and state on a \
            lossy wireless network, sessions on a mobile one. --full takes about an hour: every scenario over every \
            transport on loopback, wifi, wifi-lossy, 4g, transatlantic and satellite.

            The directory gets index.html, results.csv, and a JSON file for each network. Ctrl-C keeps what was measured.

              apus bench suite --quick
              apus bench suite --full --output results
            """
    )

    enum Extent: String, EnumerableFlag {
        case quick, full
    }

    @Flag(help: "How much to measure.")
    var extent = Extent.quick

    @Option(help: ArgumentHelp("Where the files go; it is made.", valueName: "directory"))
    var output = "bench-results"

    @Flag(help: "Compare transports even if other programs keep the machine busy.")
    var allowNoise = false

    func run() async throws {
        do {
            try await self.measureAll()
        } catch let error as BenchmarkError {
            throw CommandFailure.report(error.message, error.code.exitCode)
        } catch let error as NetworkError {
            throw CommandFailure.report(error.message, error.code.exitCode)
        } catch {
            throw CommandFailure.report(error)
        }
    }

    private func measureAll() async throws {
        let parts = (self.extent == .quick ? Suite.quick : .full).parts
        try self.makeDirectory()
        var records: [BenchmarkRecord] = []
        for (index, part) in parts.enumerated() {
            FileDescriptorOutput.standardError("\(part.name) (\(index + 1) of \(parts.count))\n")
            let progress = StandardErrorProgress()
            do {
                let measurement = try self.measurement(part)
                let (record, signal) = try await Interruption().concluding { try await measurement.run(progress) }
                progress.finish()
                records.append(record)
                // After each: whatever happens to the next one.
                try self.write(records, part.name)
                if let signal { throw Interrupted(signal: signal) }
            } catch let error as Interrupted {
                progress.finish()
                throw CommandFailure.report(self.conclusion(records), Interruption.exitCode(error.signal))
            } catch {
                progress.finish()
                throw error
            }
        }
        FileDescriptorOutput.standardOutput("\(self.output)/index.html\n")
    }

    private func conclusion(_ records: [BenchmarkRecord]) -> String {
        records.isEmpty
            ? "interrupted before anything was measured"
            : "interrupted; \(self.output)/index.html has what was measured until then"
    }

    private func measurement(_ part: Suite.Part) throws -> Measurement {
        var settings = part.settings
        settings.acceptsNoise = self.allowNoise
        let network = try part.network.map { EmulationRequest(network: try Network(nameOrFile: $0), seed: 1) }
        return Measurement(settings: settings, subject: .ownServer, network: network, processors: ProcessorPlan())
    }

    // MARK: Files

    private func makeDirectory() throws(BenchmarkError) {
        do {
            try FileManager.default.createDirectory(atPath: self.output, withIntermediateDirectories: true)
        } catch {
            throw BenchmarkError(
                .cannotCreate,
                "the directory \(self.output) cannot be made; name another one with --output"
            )
        }
    }

    private func write(_ records: [BenchmarkRecord], _ name: String) throws {
        guard let last = records.last else { return }
        try self.write(last.json(), "\(name).json")
        try self.write(Data(HTMLReport(records).html.utf8), "index.html")
        try self.write(Data(CSVReport(records).text.utf8), "results.csv")
        // What a reader looks for first; the page has the figures.
        FileDescriptorOutput.standardOutput(BenchmarkReport(last).findingsText)
    }

    private func write(_ content: Data, _ name: String) throws(BenchmarkError) {
        let file = try OutputFile(path: "\(self.output)/\(name)")
        // A full disk leaves no half of it, and what was there before.
        defer { file.discard() }
        try file.write(content)
    }
}
