/// What messages, or sessions, have cost both ends and the network.
public struct Cost: Sendable, Hashable, Codable {
    /// Messages there and back, sessions, or bytes of a bulk transfer that it was spent on; also those that count in
    /// nothing else.
    public var count: UInt64
    public var client: ProcessUse
    /// nil when the server's process is not known, or ended.
    public var server: ProcessUse?
    /// nil when the way to the server is not one device of this machine's. What others send on it counts too.
    public var wire: WireUse?

    static let none = Cost(count: 0, client: .none, server: ProcessUse.none, wire: WireUse.none)

    /// What is missing in one is missing in the sum.
    static func + (one: Self, other: Self) -> Self {
        Self(
            count: one.count + other.count,
            client: one.client + other.client,
            server: Self.both(one.server, other.server).map { $0 + $1 },
            wire: Self.both(one.wire, other.wire).map { $0 + $1 }
        )
    }

    private static func both<Value>(_ one: Value?, _ other: Value?) -> (Value, Value)? {
        guard let one, let other else { return nil }
        return (one, other)
    }
}
