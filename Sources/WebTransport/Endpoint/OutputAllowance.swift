/// What all connections of an endpoint together may have waiting for acknowledgement, and so what each of them may.
///
/// A peer that acknowledges nothing costs what its connection may hold, and there may be ten thousand of them.
package struct OutputAllowance: Sendable {
    /// In bytes. No connection has a use for more: 1 Gbit/s over 130 ms.
    static let most = 16 << 20
    /// In bytes. What any connection needs, however many there are: 20 Mbit/s over 100 ms.
    static let least = 256 << 10

    /// In bytes.
    package var total = 1 << 30

    func share(ofEachOf connections: Int) -> Int {
        min(Self.most, max(Self.least, self.total / max(1, connections)))
    }
}
