import Glibc
import Histogram
import NetworkModel

/// One direction of the emulator: where packets come from, what becomes of them, and where they go.
struct Wire {
    let source: CInt
    let mtu: Int
    private let destination: CInt
    private var link: LinkSimulation
    private let averageLoss: Double
    private var undeliverable: UInt64 = 0
    private var delay = Self.histogram()
    private var lateness = Self.histogram()

    init(_ link: Link, seed: UInt64, _ direction: Direction, from source: CInt, to destination: CInt) {
        self.link = LinkSimulation(link, seed: seed, direction: direction)
        self.averageLoss = link.conditions.loss.average
        self.mtu = link.mtu
        self.source = source
        self.destination = destination
    }

    /// - Returns: when it is due at the other end; nil when it never will be.
    mutating func packetArrived(_ bytes: Int, at now: Int64, start: Int64) -> Int64? {
        switch self.link.packetArrived(bytes: bytes, at: now, start: start) {
        case .deliver(let due): due
        case .lose, .drop: nil
        }
    }

    mutating func deliver(_ packet: Packet, at now: Int64) {
        let written = packet.bytes.withUnsafeBytes { write(self.destination, $0.baseAddress, $0.count) }
        guard written == packet.bytes.count else {
            // The kernel is short of memory, or the device is down. It is one packet, as on any network.
            self.undeliverable += 1
            return
        }
        self.delay.record(UInt64(max(0, now - packet.arrival)))
        self.lateness.record(UInt64(max(0, now - packet.due)))
    }

    var report: DirectionReport {
        DirectionReport(
            counts: self.link.counts,
            configuredLoss: self.averageLoss,
            observedLoss: self.link.counts.observedLoss,
            undeliverable: self.undeliverable,
            delay: DurationSummary(self.delay),
            lateness: DurationSummary(self.lateness)
        )
    }

    /// Up to a minute, with three digits: more than a queue and a delay together can be.
    private static func histogram() -> Histogram<UInt64> {
        var histogram = Histogram<UInt64>(
            lowestDiscernibleValue: 1,
            highestTrackableValue: 60_000_000_000,
            numberOfSignificantValueDigits: .three
        )
        histogram.autoResize = true
        return histogram
    }
}
