import ArgumentParser
import Credentials
import Foundation
import NetworkEmulation
import TransportBenchmark

/// A comparison over an emulated network: the client and the server are this command once more, each in a namespace.
struct EmulatedComparison: Sendable {
    private let request: EmulationRequest
    private let processors: ProcessorPlan

    init(_ request: EmulationRequest, on processors: ProcessorPlan) {
        self.request = request
        self.processors = processors
    }

    /// - Throws: `ExitCode` when the client's half has failed, and said why; else as `EmulatedNetwork` and
    ///   `ServerProcess` do.
    func run(_ progress: StandardErrorProgress) async throws -> BenchmarkRecord {
        let executable = try BenchCommand.executable()
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let file = "\(directory.path)/record.json"
        let processors = self.processors
        progress.update("Starting a network and a server", 0, of: 1)
        let (_, report) = try await EmulatedNetwork.with(
            self.request,
            executable: executable,
            on: processors.emulator
        ) { network in
            try await ServerProcess.withServer(
                executable: executable,
                in: (network.server, network.serverAddress),
                on: processors.server
            ) { server in
                let end = try await ClientProcess.run(
                    executable: executable,
                    arguments: Self.clientArguments(server, file),
                    in: network.client,
                    on: processors.client
                )
                // One that was asked to end has written what it had measured, if it had.
                guard end == .exited(EXIT_SUCCESS) || Task.isCancelled else { throw Self.failed(end) }
            }
        }
        guard FileManager.default.fileExists(atPath: file) else { throw CancellationError() }
        var record = try JSONDecoder().decode(
            BenchmarkRecord.self,
            from: Data(contentsOf: URL(fileURLWithPath: file))
        )
        record.settings.isOwnServer = true
        record.network = NetworkRecord(self.request, report: report)
        return record
    }

    /// Those of this process; of an option that is there twice the last one counts.
    private static func clientArguments(_ server: ServerProcess, _ file: String) -> [String] {
        CommandLine.arguments.dropFirst() + [
            "--target", "https://\(server.authority)", "--hash", server.fingerprint.hexadecimal, "--server-process",
            "\(server.process)",
            "--json", file, "--within-network",
        ]
    }

    private static func failed(_ end: ProcessEnd) -> any Error {
        switch end {
        case .exited(let code): ExitCode(code)
        case .signalled: BenchmarkError(.unavailable, "the client's process was ended by \(end)")
        }
    }
}
