import HTTPSemantics
package import NIOCore

/// What one peer may do that costs this end work and leads to nothing. Each kind has a purse that is refilled with
/// time: honest peers do all of it now and then.
package struct AbuseGuard: Sendable {
    /// A lost packet makes every packet behind it idle until what is missing has come: as many as the largest window
    /// has (24 MB). Progress fills the purse as well, hence a transfer pays back what it owes for its losses.
    private var idlePackets = TokenBucket(capacity: 20_000, perSecond: 200)
    /// Twice what a peer may have open, at once: a page that is left cancels all of its fetches. And in the long run
    /// every frame of several videos that are late.
    private var abandonedStreams = TokenBucket(capacity: 2048, perSecond: 100)
    /// All streams that a peer may have open, once for a session that has just ended, and once for one that has not
    /// begun. Of types that nobody knows, an honest peer opens a few to see that they are put up with
    /// (RFC 9114 § 6.2.3).
    private var strayStreams = TokenBucket(capacity: 4096, perSecond: 100)
    /// A PRIORITY_UPDATE for each of a thousand requests, changed twice; reserved types in between.
    private var emptyFrames = TokenBucket(capacity: 4096, perSecond: 500)
    /// Credit for every one of many short streams, where sessions have flow control of their own.
    private var capsules = TokenBucket(capacity: 10_000, perSecond: 1000)
    /// Bytes of QPACK's instructions, each of which may change its table: enough to fill that 256 times at once, and 32
    /// times a second.
    private var compression = TokenBucket(capacity: 1 << 20, perSecond: 128 << 10)

    package init() {}

    /// Packets have led to something.
    package mutating func earn(progress: Int) {
        self.idlePackets.earn(progress)
    }

    /// - Throws: H3_EXCESSIVE_LOAD when the peer has done more than that.
    /// - Precondition: the limit is one of a rate.
    package mutating func spend(_ limit: Limit, _ count: Int = 1, at now: NIODeadline) throws(HTTP3Error) {
        let isWithin =
            switch limit {
            case .idlePackets: self.idlePackets.spend(count, at: now)
            case .abandonedStreams: self.abandonedStreams.spend(count, at: now)
            case .strayStreams: self.strayStreams.spend(count, at: now)
            case .emptyFrames: self.emptyFrames.spend(count, at: now)
            case .capsules: self.capsules.spend(count, at: now)
            case .compression: self.compression.spend(count, at: now)
            case .fieldSections, .settings, .heldRequests, .unreadResponses, .prioritizedStreams,
                .memory:
                preconditionFailure("\(limit) is no limit of a rate")
            }
        guard isWithin else { throw HTTP3Error(limit) }
    }
}
