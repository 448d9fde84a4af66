/// What has come of the packets of one direction.
public struct LinkCounts: Sendable, Hashable, Codable {
    /// Those that came to the link, and their bytes.
    public var packets: UInt64 = 0
    public var bytes: UInt64 = 0
    /// Those that the link lost as configured.
    public var lost: UInt64 = 0
    /// Those that met a full queue.
    public var dropped: UInt64 = 0
    /// Those that overtake an earlier one.
    public var reordered: UInt64 = 0
    /// The most packets that waited or were being transmitted at a time.
    public var largestQueue = 0

    public init() {}

    /// The share that was lost of those that found room in the queue; 0 when there were none.
    public var observedLoss: Double {
        let transmitted = self.packets - self.dropped
        return transmitted > 0 ? Double(self.lost) / Double(transmitted) : 0
    }
}
