import DequeModule

/// One direction at work: says of each packet whether and when it arrives at the other end. It has no clock; time is a
/// parameter.
///
/// The jitter of packet N, and whether it is lost, depend on the seed, the direction and N alone; where the link changes over
/// time, also on when the packet comes. Whether it meets a full queue depends on when the packets before it came.
public struct LinkSimulation: Sendable {
    public enum Fate: Sendable, Hashable {
        /// It arrives then, or at once when that is not later than now.
        case deliver(at: Int64)
        /// The link loses it.
        case lose
        /// The queue is full.
        case drop
    }

    public private(set) var counts = LinkCounts()
    private let link: Link
    private let random: PacketRandom
    private var loss: LossProcess
    /// When each packet in the queue will have been transmitted.
    private var departures: Deque<Int64> = []
    /// The latest arrival that was foretold.
    private var latestArrival = Int64.min

    public init(_ link: Link, seed: UInt64, direction: Direction) {
        self.link = link
        self.random = PacketRandom(seed: seed, direction: direction)
        self.loss = LossProcess(random: self.random)
    }

    /// A packet came to the link.
    /// - Parameters:
    ///   - bytes: of the IP packet.
    ///   - now: not before the time of the packet before.
    ///   - start: when the network's first packet came, where a trace begins.
    public mutating func packetArrived(bytes: Int, at now: Int64, start: Int64) -> Fate {
        let number = self.counts.packets
        let conditions =
            self.link.trace?.conditions(at: now - start, else: self.link.conditions) ?? self.link.conditions
        self.counts.packets += 1
        self.counts.bytes += UInt64(bytes)
        // Drawn for each packet, so that a full queue does not change the fate of later ones.
        let isLost = self.loss.isLost(packet: number, at: now - start, conditions.loss)
        guard let departure = self.enqueue(bytes: bytes, conditions.bandwidth, at: now) else {
            self.counts.dropped += 1
            return .drop
        }
        // After the transmission: what a radio loses has used its time.
        guard !isLost else {
            self.counts.lost += 1
            return .lose
        }
        return .deliver(at: self.arrival(departure + self.delay(packet: number, conditions)))
    }

    /// When the packet will have been transmitted; nil when the queue is full.
    private mutating func enqueue(bytes: Int, _ bandwidth: Int64?, at now: Int64) -> Int64? {
        while let first = self.departures.first, first <= now { self.departures.removeFirst() }
        guard let bandwidth else { return now }
        guard self.departures.count < self.link.queue else { return nil }
        let duration = (Double(bytes) * 8e9 / Double(bandwidth)).rounded()
        let departure = (self.departures.last ?? now) + Int64(duration)
        self.departures.append(departure)
        self.counts.largestQueue = max(self.counts.largestQueue, self.departures.count)
        return departure
    }

    private func delay(packet number: UInt64, _ conditions: LinkConditions) -> Int64 {
        guard conditions.jitter > 0 else { return conditions.delay }
        let share = 2 * self.random.unit(packet: number, .jitter) - 1
        // A trace may have a jitter above its delay; no packet arrives before it was sent.
        return max(0, conditions.delay + Int64(share * Double(conditions.jitter)))
    }

    private mutating func arrival(_ undisturbed: Int64) -> Int64 {
        guard undisturbed < self.latestArrival else {
            self.latestArrival = undisturbed
            return undisturbed
        }
        guard self.link.reorders else { return self.latestArrival }
        self.counts.reordered += 1
        return undisturbed
    }
}
