/// What the peers of an endpoint make it keep: data that nobody has taken yet, and what the QUIC library holds for their
/// connections.
///
/// Flow control counts bytes of one connection, and there may be ten thousand. Data that comes a byte here and a byte there
/// costs the library many times its size, and each stream of a peer some hundred bytes (see `Connection.leakedByteCount`).
/// As long as all connections together are within bounds, one may have what only a fast one has a use for; beyond them,
/// none more than its share. Who holds less than that is never asked to go: somebody else holds more.
package struct InboundMemory: Sendable {
    /// In bytes, of the library: twice the largest window of a connection, which has holes when packets are lost, and as
    /// much again for streams and packets.
    private static let most = 64 << 20
    /// In bytes. What a connection with one session and some streams needs.
    private static let least = 128 << 10

    /// In bytes, beside the least that each connection needs.
    private let total: Int
    /// In bytes, of all connections.
    private var used = 0

    package init(total: Int = 1 << 30) {
        self.total = total
    }

    /// What one connection holds, in bytes.
    struct Holding {
        var library = 0
        /// How much of that the library has only forgotten to free.
        var leaked = 0
        /// Data that nobody has taken. A buffer has up to twice as much.
        var untaken = 0

        var all: Int { self.library + 2 * self.untaken }
    }

    /// A connection holds something else than before.
    mutating func changed(from former: Holding, to holding: Holding) {
        self.used += holding.all - former.all
    }

    /// Whether a connection may hold so much.
    /// - Parameter connections: of this endpoint.
    func permits(_ holding: Holding, ofEachOf connections: Int) -> Bool {
        guard holding.library - holding.leaked <= Self.most else { return false }
        guard self.used > self.total + connections * Self.least else { return true }
        return holding.all <= Self.least + self.total / max(1, connections)
    }
}
