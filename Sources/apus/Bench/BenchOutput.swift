import ArgumentParser
import Foundation
import TransportBenchmark

/// Where the results of measurements go, beside the terminal.
struct BenchOutput: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Write everything, with the raw histograms, as JSON. Benchmarks/schema describes it.",
            valueName: "file"
        )
    )
    var json: String?

    @Option(
        help: ArgumentHelp("Write a page with tables, curves and a summary; it needs no network.", valueName: "file")
    )
    var html: String?

    @Option(help: ArgumentHelp("Write a line for each distribution, for a spreadsheet.", valueName: "file"))
    var csv: String?

    /// Makes sure that the files can be written, before anything is measured.
    /// - Throws: `BenchmarkError` with `cannotCreate`.
    func open() throws(BenchmarkError) -> Files {
        var files = Files()
        do throws(BenchmarkError) {
            files.json = try Self.open(self.json)
            files.html = try Self.open(self.html)
            files.csv = try Self.open(self.csv)
        } catch {
            files.discard()
            throw error
        }
        return files
    }

    private static func open(_ path: String?) throws(BenchmarkError) -> OutputFile? {
        guard let path else { return nil }
        return try OutputFile(path: path)
    }

    struct Files {
        fileprivate var json: OutputFile?
        fileprivate var html: OutputFile?
        fileprivate var csv: OutputFile?

        func write(_ record: BenchmarkRecord) throws {
            try self.json?.write(record.json())
            try self.html?.write(Data(HTMLReport([record]).html.utf8))
            try self.csv?.write(Data(CSVReport([record]).text.utf8))
        }

        /// Removes what was not written.
        func discard() {
            for file in [self.json, self.html, self.csv] { file?.discard() }
        }
    }
}
