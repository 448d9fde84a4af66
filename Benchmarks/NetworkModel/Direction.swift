/// Which way a packet goes.
public enum Direction: String, Sendable, Hashable, Codable, CaseIterable {
    /// From the client to the server.
    case up
    /// From the server to the client.
    case down
}
