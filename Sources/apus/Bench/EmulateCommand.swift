import ArgumentParser
import Foundation
import NetworkEmulation

/// `apus emulate`: the process that carries the packets of an emulated network. `apus bench` starts it.
struct EmulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "emulate",
        abstract: "Carry packets between two devices, until standard input ends.",
        shouldDisplay: false
    )

    @Argument(help: "What to do, as JSON.")
    var request: String

    func run() throws {
        do {
            let content = try Data(contentsOf: URL(fileURLWithPath: self.request))
            let request = try JSONDecoder().decode(EmulationRequest.self, from: content)
            var emulator = Emulator(
                request.network,
                seed: request.seed,
                client: EmulationRequest.clientDescriptor,
                server: EmulationRequest.serverDescriptor
            )
            FileDescriptorOutput.standardOutput("\(EmulationRequest.readyLine)\n")
            try emulator.run(until: STDIN_FILENO)
            let report = try JSONEncoder().encode(emulator.report)
            FileDescriptorOutput.standardOutput(String(decoding: report, as: UTF8.self) + "\n")
        } catch let error as NetworkError {
            throw CommandFailure.report(error.message, error.code.exitCode)
        } catch {
            throw CommandFailure.report(error)
        }
    }
}
