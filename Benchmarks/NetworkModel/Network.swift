/// What is between a client and a server: a link each way.
public struct Network: Sendable, Hashable, Codable {
    public var name: String
    /// From the client to the server.
    public var up: Link
    /// From the server to the client.
    public var down: Link

    public init(name: String, up: Link, down: Link) {
        self.name = name
        self.up = up
        self.down = down
    }

    public subscript(direction: Direction) -> Link {
        switch direction {
        case .up: self.up
        case .down: self.down
        }
    }
}
