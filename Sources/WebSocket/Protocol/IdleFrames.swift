import HTTPSemantics
import NIOCore

/// Frames that cost this end work and bring it nothing: pings, pongs that nobody asked for, and fragments without data
/// (RFC 6455 § 5.4, § 5.5). All are allowed, and none needs many.
struct IdleFrames {
    /// Tools that measure with pings send a thousand a second; what comes in one read after a pause may be ten times
    /// that.
    private var bucket = TokenBucket(capacity: 10_000, perSecond: 1_000)

    static let excess = WebSocketViolation(
        code: .policyViolation,
        reason: "too many pings, pongs or fragments without data"
    )

    /// - Throws: 1008 when there have been too many.
    mutating func spend(at now: NIODeadline) throws(WebSocketViolation) {
        guard self.bucket.spend(at: now) else { throw Self.excess }
    }
}
