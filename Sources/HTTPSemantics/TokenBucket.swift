package import NIOCore

/// Lets `capacity` events through at once, and `perSecond` in the long run.
///
/// It is one number: the time at which all that was spent will have come back.
package struct TokenBucket: Sendable {
    private let span: Int64
    private let cost: Int64
    private var fullAt: Int64 = 0

    /// - Precondition: both are positive.
    package init(capacity: Int, perSecond: Int) {
        precondition(capacity > 0 && perSecond > 0, "a bucket holds something and is refilled")
        self.cost = 1_000_000_000 / Int64(perSecond)
        self.span = Int64(capacity) * self.cost
    }

    /// Takes tokens out, also when there are not enough.
    /// - Returns: whether there were enough.
    package mutating func spend(_ count: Int = 1, at now: NIODeadline) -> Bool {
        let now = Int64(clamping: now.uptimeNanoseconds)
        // No deeper than twice empty, so that no count overflows.
        self.fullAt = min(max(self.fullAt, now) + self.price(of: count), now + 2 * self.span)
        return self.fullAt - now <= self.span
    }

    /// Puts tokens back. What is more than the bucket holds is lost.
    package mutating func earn(_ count: Int) {
        self.fullAt -= min(self.price(of: count), self.fullAt)
    }

    private func price(of count: Int) -> Int64 {
        let (price, isTooLarge) = Int64(count).multipliedReportingOverflow(by: self.cost)
        return isTooLarge ? 2 * self.span : min(price, 2 * self.span)
    }
}
