import NIOCore

/// When to look whether the peer has stopped the CONNECT stream of a session.
///
/// A peer that does has ended the session (draft-ietf-webtrans-http3 § 6), but ngtcp2 reports STOP_SENDING only when the
/// stream is next written to. An empty frame does that. It is written when packets have come in, which may have said so, but
/// not on account of the packet that acknowledges it: two idle ends would keep each other awake for ever.
struct ProbeSchedule {
    private var last: NIODeadline?
    private var isAlone = false
    /// Packets have come in too soon after the last probe.
    private(set) var deadline: NIODeadline?

    /// An empty frame a second is next to nothing, and a session that nobody reads lives as long at most.
    private static let minimumInterval = TimeAmount.seconds(1)

    /// - Parameters:
    ///   - isSilent: whether the packets led to no event.
    ///   - bytesInFlight: what is sent and neither acknowledged nor lost, now.
    ///   - roundTrip: the smoothed time of a round trip.
    /// - Returns: whether to probe now.
    mutating func packetsArrived(
        at now: NIODeadline,
        isSilent: Bool,
        bytesInFlight: UInt64,
        roundTrip: TimeAmount
    ) -> Bool {
        if isSilent, self.isAlone, bytesInFlight == 0 {
            self.isAlone = false
            return false
        }
        let earliest = self.last.map { $0 + max(Self.minimumInterval, roundTrip * 4) } ?? now
        guard earliest <= now else {
            self.deadline = earliest
            return false
        }
        self.probed(at: now, bytesInFlight: bytesInFlight)
        return true
    }

    /// - Returns: whether to probe now.
    mutating func timedOut(at now: NIODeadline, bytesInFlight: UInt64) -> Bool {
        guard let deadline = self.deadline, deadline <= now else { return false }
        self.probed(at: now, bytesInFlight: bytesInFlight)
        return true
    }

    private mutating func probed(at now: NIODeadline, bytesInFlight: UInt64) {
        self.last = now
        self.deadline = nil
        self.isAlone = bytesInFlight == 0
    }

    /// Nothing is left to look at.
    mutating func cancel() {
        self.deadline = nil
    }
}
