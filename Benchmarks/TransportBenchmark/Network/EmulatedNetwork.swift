import Foundation
public import NetworkEmulation
import NetworkModel

/// A network between two namespaces, which an emulator in a process of its own carries.
public struct EmulatedNetwork: Sendable {
    /// Where the client runs.
    public let client: NetworkNamespace
    /// Where the server runs.
    public let server: NetworkNamespace
    public let serverAddress = NamespacePair.serverAddress

    /// Time until the emulator's process runs. A loaded machine needs seconds.
    private static let startTime: CInt = 15_000
    /// Time to write its report, in milliseconds.
    private static let endTime = 5_000
    private static let log = "emulator.log"

    /// Makes a network, gives it to `body`, and undoes it: however `body` ends, and whether the task is cancelled.
    /// - Parameter executable: the path of this command, which is also that of the emulator.
    /// - Returns: what `body` returns, and what the network has done.
    /// - Throws: `NetworkError` when this machine does not let its users make one; `BenchmarkError` with `unavailable`
    ///   when the emulator ends before `body`; what `body` throws.
    public static func with<Result: Sendable>(
        _ request: EmulationRequest,
        executable: String,
        _ body: @escaping @Sendable (EmulatedNetwork) async throws -> Result
    ) async throws -> (Result, EmulationReport) {
        let namespaces = try NamespacePair(clientMTU: request.network.up.mtu, serverMTU: request.network.down.mtu)
        let network = EmulatedNetwork(client: namespaces.client, server: namespaces.server)
        let devices = [namespaces.clientDevice, namespaces.serverDevice]
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let file = "\(directory.path)/request.json"
        try JSONEncoder().encode(request).write(to: URL(fileURLWithPath: file))

        // When this end closes, the emulator reports and ends.
        let control = try PrivatePipe()
        defer { close(control.readEnd) }
        let emulator = try await ChildProcess.start(
            executable,
            ["emulate", file],
            errors: .log("\(directory.path)/\(Self.log)"),
            input: control.readEnd,
            inherited: devices
        )
        let isReady = await emulator.nextLine(within: Self.startTime) == EmulationRequest.readyLine
        let supervision = await emulator.supervise {
            close(control.writeEnd)
            return await emulator.terminate(within: Self.endTime, isAsked: isReady)
        } _: { () -> Result? in
            isReady ? try await body(network) : nil
        }
        // The devices are there until here: the last packets of the programs still go somewhere.
        _ = consume namespaces
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
