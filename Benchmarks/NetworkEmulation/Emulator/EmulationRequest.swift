public import NetworkModel

/// What the emulator's process is asked to do.
public struct EmulationRequest: Sendable, Hashable, Codable {
    /// The numbers under which the process gets the devices.
    public static let clientDescriptor: CInt = 3
    public static let serverDescriptor: CInt = 4
    /// What it writes when it carries packets.
    public static let readyLine = "ready"

    public var network: Network
    public var seed: UInt64

    public init(network: Network, seed: UInt64) {
        self.network = network
        self.seed = seed
    }
}
