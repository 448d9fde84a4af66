import NIOCore

/// When to look whether the peer has stopped the CONNECT stream of a session.
///
/// A peer that does has ended the session (draft-ietf-webtrans-http3 § 6), but ngtcp2 reports STOP_SENDING only when
/// the stream is next written to. An empty frame does that. It is written when packets have come in, which may have
/// said so.
///
/// Packets that led to no event are most likely acknowledgements, perhaps of a probe, or the probes of the peer: two
/// idle ends must not keep each other awake. One that acknowledges a probe which was all that was in flight is no
/// reason for another, and few of the others are: there is a purse for them, which only events fill up at once.
struct ProbeSchedule {
    private var last: NIODeadline?
    private var isAlone = false
    private var purse = Self.fullPurse
    private var lastCoin: NIODeadline?
    /// Packets have come in too soon after the last probe.
    private(set) var deadline: NIODeadline?

    /// An empty frame a second is next to nothing, and a session that nobody reads lives as long at most.
    private static let minimumInterval = TimeAmount.seconds(1)
    private static let fullPurse = 2
    /// Two idle ends empty each other's purses within seconds. What comes after half a minute of silence is news.
    private static let coinInterval = TimeAmount.seconds(30)

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
        guard self.isReason(isSilent: isSilent, bytesInFlight: bytesInFlight, at: now) else { return false }
        let earliest = self.last.map { $0 + max(Self.minimumInterval, roundTrip * 4) } ?? now
        guard earliest <= now else {
            self.deadline = earliest
            return false
        }
        self.probed(at: now, bytesInFlight: bytesInFlight)
        return true
    }

    private mutating func isReason(isSilent: Bool, bytesInFlight: UInt64, at now: NIODeadline) -> Bool {
        guard isSilent else {
            self.purse = Self.fullPurse
            return true
        }
        if self.isAlone, bytesInFlight == 0 {
            self.isAlone = false
            return false
        }
        if let last = self.lastCoin, now - last >= Self.coinInterval { self.purse = Self.fullPurse }
        guard self.purse > 0 else { return false }
        self.purse -= 1
        self.lastCoin = now
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
