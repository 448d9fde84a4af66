import HTTP3
import NIOCore
import Testing

@Suite("What one peer may waste of this end's time [38]")
struct AbuseGuardTests {
    static let rates: [Limit] = [
        .idlePackets, .abandonedStreams, .strayStreams, .emptyFrames, .capsules, .compression,
    ]
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
        // Of the last limit bytes are counted, of the others events.
        let count = limit == .compression ? 1000 : 10
        do throws(HTTP3Error) {
            for millisecond in 0..<60_000 {
                try abuse.spend(limit, count, at: Self.start + .milliseconds(Int64(millisecond)))
            }
            Issue.record("ten a millisecond, or a kilobyte, went unnoticed for a minute")
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
