import ArgumentParser
import Credentials
import Foundation
import NetworkEmulation
import TransportBenchmark

// A measurement over an emulated network: the client and the server are this command once more, each in a namespace.

extension Measurement {
    /// - Throws: `ExitCode` when the client's half has failed, and said why; else as `EmulatedNetwork` and
    ///   `ServerProcess` do.
    func measure(over request: EmulationRequest, _ progress: StandardErrorProgress) async throws -> BenchmarkRecord {
        let (settings, processors) = (self.settings, self.processors)
        let executable = try Self.executable()
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let file = "\(directory.path)/record.json"
        progress.update("Starting a network and a server", 0, of: 1)
        let (_, report) = try await EmulatedNetwork.with(
            request,
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
                    arguments: Self.clientArguments(settings, server, file),
                    in: network.client,
                    on: processors.client
                )
                // One that was asked to end has written what it had measured, if it had.
                guard end == .exited(EXIT_SUCCESS) || Task.isCancelled else { throw Self.failed(end) }
            }
        }
        guard FileManager.default.fileExists(atPath: file) else { throw CancellationError() }
        var record = try BenchmarkRecord(reading: file)
        record.settings.isOwnServer = true
        record.network = NetworkRecord(request, report: report)
        return record
    }

    private static func clientArguments(
        _ settings: BenchmarkSettings,
        _ server: ServerProcess,
        _ file: String
    ) -> [String] {
        ["bench"] + settings.arguments + [
            "--target", "https://\(server.authority)", "--hash", server.fingerprint.hexadecimal,
            "--server-process", "\(server.process)", "--json", file, "--within-network",
        ]
    }

    private static func failed(_ end: ProcessEnd) -> any Error {
        switch end {
        case .exited(let code): ExitCode(code)
        case .signalled: BenchmarkError(.unavailable, "the client's process was ended by \(end)")
        }
    }
}

extension BenchmarkSettings {
    /// As options of `apus bench`.
    fileprivate var arguments: [String] {
        var arguments = [
            "--scenarios", self.scenarios.map(\.rawValue).joined(separator: ","),
            "--transports", self.transports.map(\.rawValue).joined(separator: ","),
            "--connections", "\(self.connections)", "--messages", "\(self.messages)", "--size", "\(self.size)",
            "--rounds", "\(self.rounds)", "--warm-up", "\(self.warmUp)", "--handshakes", "\(self.handshakes)",
            "--seconds", "\(self.seconds)",
        ]
        if let rate = self.rate { arguments += ["--rate", "\(rate)"] }
        if let sequences = self.sequences { arguments += ["--sequences", "\(sequences)"] }
        if let browser = self.browser { arguments += ["--client", browser.rawValue] }
        if self.acceptsNoise { arguments.append("--allow-noise") }
        return arguments
    }
}
