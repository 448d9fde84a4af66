import HTTP3
import NIOCore
import Testing

@Suite("A rate limit with a burst")
struct TokenBucketTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    /// By reference, for the sake of the macro.
    private final class Purse {
        private var bucket: TokenBucket

        init(capacity: Int, perSecond: Int) {
            self.bucket = TokenBucket(capacity: capacity, perSecond: perSecond)
        }

        func spend(_ count: Int, at now: NIODeadline) -> Bool { self.bucket.spend(count, at: now) }
        func earn(_ count: Int) { self.bucket.earn(count) }
    }

    @Test("It lets a burst of its capacity through, and not one more")
    func burst() {
        let bucket = Purse(capacity: 100, perSecond: 10)
        for _ in 0..<100 { #expect(bucket.spend(1, at: Self.start)) }
        #expect(!bucket.spend(1, at: Self.start))
    }

    @Test("It refills with time, and never beyond its capacity")
    func refill() {
        let bucket = Purse(capacity: 100, perSecond: 10)
        #expect(bucket.spend(100, at: Self.start))
        #expect(bucket.spend(10, at: Self.start + .seconds(1)))
        #expect(!bucket.spend(1, at: Self.start + .seconds(1)))
        let rested = Purse(capacity: 100, perSecond: 10)
        #expect(rested.spend(100, at: Self.start))
        #expect(rested.spend(100, at: Self.start + .hours(1)))
        #expect(!rested.spend(1, at: Self.start + .hours(1)))
    }

    @Test("What is earned can be spent again, and more than the capacity is lost")
    func earned() {
        let bucket = Purse(capacity: 100, perSecond: 10)
        #expect(bucket.spend(100, at: Self.start))
        bucket.earn(40)
        #expect(bucket.spend(40, at: Self.start))
        bucket.earn(1_000_000)
        #expect(bucket.spend(100, at: Self.start))
        #expect(!bucket.spend(1, at: Self.start))
    }

    @Test("Counts of any size are taken", arguments: [1 << 40, Int.max])
    func large(count: Int) {
        let bucket = Purse(capacity: 100, perSecond: 1)
        #expect(!bucket.spend(count, at: Self.start))
        // It is never deeper in debt than its capacity.
        #expect(bucket.spend(100, at: Self.start + .seconds(201)))
        bucket.earn(count)
        #expect(bucket.spend(100, at: Self.start + .seconds(201)))
    }
}

@Suite("What one peer may waste of this end's time")
struct AbuseGuardTests {
    static let rates: [Limit] = [.idlePackets, .abandonedStreams, .rejectedStreams, .emptyFrames, .capsules]
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    @Test(
        "A thousand of anything at once, and a hundred a second for an hour, is honest",
        arguments: AbuseGuardTests.rates
    )
    func honest(limit: Limit) throws {
        var abuse = AbuseGuard()
        try abuse.spend(limit, 1000, at: Self.start)
        for second in 1...3600 { try abuse.spend(limit, 100, at: Self.start + .seconds(Int64(second))) }
    }

    @Test("A flood ends with H3_EXCESSIVE_LOAD (RFC 9114 § 10.5)", arguments: AbuseGuardTests.rates)
    func flood(limit: Limit) {
        var abuse = AbuseGuard()
        do throws(HTTP3Error) {
            for millisecond in 0..<60_000 {
                try abuse.spend(limit, 10, at: Self.start + .milliseconds(Int64(millisecond)))
            }
            Issue.record("600,000 in a minute went unnoticed")
        } catch {
            #expect(error.code == .excessiveLoad)
            #expect(error.limit == limit)
        }
    }

    @Test("Packets behind a lost one are paid back when it has come: a long transfer with losses is honest")
    func losses() throws {
        var abuse = AbuseGuard()
        // 100 Mbit/s with 100 ms of delay, of which every hundredth packet is lost and comes a round trip later: nearly
        // each arrives out of order.
        for roundTrip in 0..<1000 {
            let now = Self.start + .milliseconds(Int64(roundTrip) * 100)
            try abuse.spend(.idlePackets, 990, at: now)
            abuse.earn(progress: 10 + 1000 * 1200 / 1024)
        }
    }
}
