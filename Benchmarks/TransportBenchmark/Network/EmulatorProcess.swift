import Foundation
import NetworkEmulation

/// The process that carries the packets: the hidden `apus emulate`.
enum EmulatorProcess {
    /// Time until it runs, in milliseconds. A loaded machine needs seconds.
    private static let startTime: CInt = 15_000
    /// Time to write its report, in milliseconds.
    private static let endTime = 5_000
    private static let log = "emulator.log"

    /// Carries packets between two devices, of the client and of the server, until `body` ends.
    /// - Throws: `BenchmarkError` with `unavailable` when the process ends before `body`; what `body` throws.
    static func carry<Result: Sendable>(
        _ request: EmulationRequest,
        between devices: [CInt],
        executable: String,
        on processors: [Int32],
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> (Result, EmulationReport) {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let file = "\(directory.path)/request.json"
        try JSONEncoder().encode(request).write(to: URL(fileURLWithPath: file))
        let control = try ControlPipe()
        let child = try await ChildProcess.start(
            executable,
            ["emulate", file],
            errors: .log("\(directory.path)/\(Self.log)"),
            input: control.readEnd,
            inherited: devices,
            on: processors
        )
        let isReady = await child.nextLine(within: Self.startTime) == EmulationRequest.readyLine
        let supervision = await child.supervise {
            control.close()
            return await child.terminate(within: Self.endTime, isAsked: isReady)
        } _: { () -> Result? in
            isReady ? try await body() : nil
        }
        guard
            let result = try supervision.outcome?.get(),
            let report = try? JSONDecoder().decode(EmulationReport.self, from: Data(supervision.output))
        else {
            let reason = directory.lastLine(of: Self.log) ?? "it logged nothing"
            throw BenchmarkError(.unavailable, "the network emulator ended early (\(supervision.end)): \(reason)")
        }
        return (result, report)
    }
}
