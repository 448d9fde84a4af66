import HTTPSemantics
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
