/// What is measured.
public enum Scenario: String, Sendable, Hashable, CaseIterable, Codable {
    /// The time to a usable session.
    case handshake
    /// Round trips one after the other: a closed loop.
    case roundTrip = "round-trip"
    /// Messages at a fixed rate: how old each is when its echo arrives. An open loop.
    case latency
    /// Independent sequences of messages at a fixed rate, and how much they hold each other up.
    case headOfLine = "head-of-line"
    /// A bulk transfer, and what it does to messages at a fixed rate on the same session.
    case throughput
    /// Updates of which only the newest matters: how old is what the receiver knows.
    case state

    /// Those that need no more than a minute on loopback.
    public static let usual: [Scenario] = [.handshake, .roundTrip]

    /// What is sent at fixed times, whether earlier messages have come back or not; nil where that is not so.
    public var load: PacedLoad? {
        switch self {
        case .handshake, .roundTrip: nil
        case .latency: PacedLoad(sequences: 1, rate: 100)
        // Eight players, documents or channels that have nothing to do with each other.
        case .headOfLine: PacedLoad(sequences: 8, rate: 30)
        // A cursor, or somebody who types, beside a file.
        case .throughput: PacedLoad(sequences: 1, rate: 20, bulkSize: 16_384)
        // The frames of a game.
        case .state: PacedLoad(sequences: 1, rate: 60)
        }
    }

    /// Reads a list such as `handshake,latency`, for which each scenario may be named once.
    public static func list(_ text: String) throws(BenchmarkError) -> [Scenario] {
        try NamedList.read(text, of: "scenario")
    }
}
