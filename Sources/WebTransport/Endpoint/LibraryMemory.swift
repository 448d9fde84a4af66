/// What the QUIC library holds for all connections of an endpoint together, and so what it may for each of them.
///
/// Data that comes a byte here and a byte there costs the library many times its size, and each stream of a peer some
/// hundred bytes (see `Connection.leakedByteCount`). As long as all connections together are within bounds, one may have
/// what only a fast one has a use for; beyond them, none more than its share. Who holds less than that is never asked to
/// go: somebody else holds more.
package struct LibraryMemory: Sendable {
    /// In bytes: twice the largest window of a connection, which has holes when packets are lost, and as much again for
    /// streams and packets.
    private static let most = 64 << 20
    /// In bytes. What a connection with one session and some streams needs.
    private static let least = 128 << 10

    /// In bytes, beside the least that each connection needs.
    package var total = 1 << 30
    /// In bytes, of all connections.
    private(set) var used = 0

    package init(total: Int = 1 << 30) {
        self.total = total
    }

    /// A connection holds more than before, or less.
    mutating func changed(by byteCount: Int) {
        self.used += byteCount
    }

    /// Whether a connection may hold so much.
    /// - Parameters:
    ///   - leakedByteCount: how much of it the connection cannot give back.
    ///   - connections: of this endpoint.
    func permits(_ byteCount: Int, leaked leakedByteCount: Int, ofEachOf connections: Int) -> Bool {
        guard byteCount - leakedByteCount <= Self.most else { return false }
        guard self.used > self.total + connections * Self.least else { return true }
        return byteCount <= Self.least + self.total / max(1, connections)
    }
}
