import ArgumentParser
import TransportBenchmark

/// `apus bench diff`
struct BenchDiffCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Compare two files of results, such as before and after a change.",
        discussion: """
            Prints the medians of what both have measured, how many times as long the second takes, and the interval in which \
            95 % of the ratios lie when turns are drawn anew. It calls a difference only where that interval is on one side of \
            1. Times of different machines or networks do not compare; it says so.

              apus bench diff before.json after.json
            """
    )

    @Argument(help: ArgumentHelp("What `apus bench --json` has written first.", valueName: "before"))
    var before: String

    @Argument(help: ArgumentHelp("What it has written later.", valueName: "after"))
    var after: String

    func run() throws {
        do {
            let records = (try BenchmarkRecord(reading: self.before), try BenchmarkRecord(reading: self.after))
            FileDescriptorOutput.standardOutput(RecordDifference(from: records.0, to: records.1).text)
        } catch let error as BenchmarkError {
            throw CommandFailure.report(error.message, error.code.exitCode)
        }
    }
}
