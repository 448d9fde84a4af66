public import NetworkEmulation
public import NetworkModel

/// The emulated network of a measurement: what was asked for, and what it has done from the server's start to the
/// client's end.
public struct NetworkRecord: Sendable, Hashable, Codable {
    public var network: Network
    public var seed: UInt64
    public var report: EmulationReport

    public init(_ request: EmulationRequest, report: EmulationReport) {
        self.network = request.network
        self.seed = request.seed
        self.report = report
    }
}
