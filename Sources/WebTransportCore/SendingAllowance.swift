/// How much of one thing the peer lets this end send in a session, as a count over the session's whole life.
struct SendingAllowance {
    private(set) var limit: UInt64
    private var used: UInt64 = 0
    /// The limit that the peer was last told to be in the way.
    private var reportedLimit: UInt64?

    init(limit: UInt64) {
        self.limit = limit
    }

    var available: UInt64 { self.limit - self.used }

    /// - Returns: as much of what is wanted as is allowed.
    mutating func take(upTo wanted: UInt64) -> UInt64 {
        let taken = min(wanted, self.available)
        self.used += taken
        return taken
    }

    /// What was taken was not sent after all, and never will be.
    mutating func giveBack(_ count: UInt64) {
        precondition(count <= self.used, "only what was taken is given back")
        self.used -= count
    }

    /// - Returns: whether the limit has risen, as it must.
    mutating func raise(to limit: UInt64) -> Bool {
        guard limit > self.limit else { return false }
        self.limit = limit
        return true
    }

    /// The limit is in the way.
    /// - Returns: it, once, for the peer to be told.
    mutating func blocked() -> UInt64? {
        guard self.available == 0, self.reportedLimit != self.limit else { return nil }
        self.reportedLimit = self.limit
        return self.limit
    }
}
