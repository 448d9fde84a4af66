/// How much of one thing this end lets the peer send in a session, as a count over the session's whole life.
///
/// What was received and is done with comes back as credit, in portions of half the window: the peer is told of more
/// before it has used up what it has (draft-ietf-webtrans-http3 § 5.6), and not at every byte.
struct ReceivingAllowance {
    private(set) var limit: UInt64
    private let window: UInt64
    private let maxLimit: UInt64
    private var received: UInt64 = 0
    private var settled: UInt64 = 0
    /// What the peer has used up without this end seeing it, and what it may have.
    private var unseen: UInt64 = 0
    private var missable: UInt64 = 0

    /// - Parameters:
    ///   - window: what the peer may send beyond what is done with; also the limit at the beginning.
    ///   - maxLimit: the largest limit that can be written.
    init(window: UInt64, maxLimit: UInt64) {
        self.limit = window
        self.window = window
        self.maxLimit = maxLimit
    }

    /// - Returns: whether it was allowed.
    mutating func receive(_ count: UInt64) -> Bool {
        guard count <= self.limit - self.received else { return false }
        self.received += count
        return true
    }

    /// Done with: the peer may send as much again.
    /// - Returns: the new limit, when it is time to tell the peer.
    mutating func settle(_ count: UInt64) -> UInt64? {
        self.settled += count
        return self.raise(ifAtLeast: max(1, self.window / 2))
    }

    /// The peer may have used up to that much without this end ever seeing it.
    mutating func mayHaveMissed(_ count: UInt64) {
        self.missable = self.missable.addingReportingOverflow(count).overflow ? .max : self.missable + count
    }

    /// The peer says that it has used up a limit. What nobody saw keeps no memory, and comes back as credit: once for
    /// each time that something may have been missed, so that a peer cannot talk itself into more.
    /// - Returns: the new limit, when there is one.
    mutating func peerBlocked(at limit: UInt64) -> UInt64? {
        guard limit == self.limit, self.missable > 0 else { return nil }
        let known = self.received + self.unseen
        self.unseen += min(self.limit - min(self.limit, known), self.missable)
        self.missable = 0
        return self.raise(ifAtLeast: 1)
    }

    private mutating func raise(ifAtLeast step: UInt64) -> UInt64? {
        let next = min(self.settled + self.unseen + self.window, self.maxLimit)
        guard next >= self.limit, next - self.limit >= step else { return nil }
        self.limit = next
        return next
    }
}
