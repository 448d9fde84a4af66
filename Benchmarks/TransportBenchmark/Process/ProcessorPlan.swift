import CNetworkEmulation
public import NIOCore

/// Which processors the parts of a measurement keep to, so that none takes another's, and that no move from one to another
/// is measured.
public struct ProcessorPlan: Sendable, Hashable, Codable {
    /// Of the client, which has one thread that counts; empty where there are too few to share out, for any.
    public var client: [Int32] = []
    /// Of the server.
    public var server: [Int32] = []
    /// Of the network emulator.
    public var emulator: [Int32] = []

    /// Everybody anywhere.
    public static let none = ProcessorPlan()

    /// Shares out processors: one for the client; where there are three or more one for the emulator; and the others for
    /// the server.
    public init(sharing processors: [Int32] = Self.available) {
        guard processors.count >= 2 else { return }
        self.client = [processors[processors.count - 1]]
        self.emulator = processors.count >= 3 ? [processors[processors.count - 2]] : []
        self.server = Array(processors.dropLast(processors.count >= 3 ? 2 : 1))
    }

    private init() {}

    /// The client's part alone.
    public var ofClient: ProcessorPlan {
        var plan = ProcessorPlan.none
        plan.client = self.client
        return plan
    }

    /// The processors that this process may run on; none when the system does not tell. Asked once, at first: a thread that
    /// keeps to some of them starts others that do.
    public static let available: [Int32] = Array(unsafeUninitializedCapacity: 1_024) { space, count in
        count = CNetworkEmulation_processors(space.baseAddress, space.count)
    }

    /// Makes the thread of a loop keep to the client's processors.
    public func keepClient(on eventLoop: any EventLoop) async throws {
        let processors = self.client
        try await eventLoop.submit {
            // One that has gone away meanwhile is no reason not to measure.
            _ = CNetworkEmulation_keep_to(processors, processors.count)
        }.get()
    }
}
