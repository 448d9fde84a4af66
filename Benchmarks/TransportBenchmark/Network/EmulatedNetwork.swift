public import NetworkEmulation
import NetworkModel

/// A network between two namespaces, which an emulator in a process of its own carries.
public struct EmulatedNetwork: Sendable {
    /// Where the client runs.
    public let client: NetworkNamespace
    /// Where the server runs.
    public let server: NetworkNamespace
    public let serverAddress = NamespacePair.serverAddress

    /// Makes a network, gives it to `body`, and undoes it: however `body` ends, and whether the task is cancelled.
    /// - Parameters:
    ///   - executable: the path of this command, which is also that of the emulator.
    ///   - processors: those that the emulator keeps to; none for any.
    /// - Returns: what `body` returns, and what the network has done.
    /// - Throws: `NetworkError` when this machine does not let its users make one; `BenchmarkError` with `unavailable`
    ///   when the emulator ends before `body`; what `body` throws.
    public static func with<Result: Sendable>(
        _ request: EmulationRequest,
        executable: String,
        on processors: [Int32],
        _ body: @escaping @Sendable (EmulatedNetwork) async throws -> Result
    ) async throws -> (Result, EmulationReport) {
        let namespaces = try NamespacePair(clientMTU: request.network.up.mtu, serverMTU: request.network.down.mtu)
        let network = EmulatedNetwork(client: namespaces.client, server: namespaces.server)
        let devices = [namespaces.clientDevice, namespaces.serverDevice]
        let outcome = try await EmulatorProcess.carry(request, between: devices, executable: executable, on: processors)
        {
            try await body(network)
        }
        // Without their descriptors the devices and the namespaces are gone.
        _ = consume namespaces
        return outcome
    }
}
