import Testing

@testable import NetworkEmulation

@Suite("How early the emulator wakes")
struct WakeMarginTests {
    @Test("A machine that always wakes late by the same has that margin soon")
    func steady() {
        var margin = WakeMargin()
        for _ in 0..<20 { margin.woke(late: 200_000) }
        #expect((199_000...200_000).contains(margin.nanoseconds))
    }

    @Test("It is above most of what varies")
    func varying() {
        var margin = WakeMargin()
        for index in 0..<1_000 { margin.woke(late: Int64(index * 37 % 100) * 1_000) }
        #expect((75_000...100_000).contains(margin.nanoseconds))
    }

    @Test("A machine that was busy for a moment does not keep the emulator busy")
    func outlier() {
        var margin = WakeMargin()
        margin.woke(late: 50_000_000)
        #expect(margin.nanoseconds <= 300_000)
        for _ in 0..<200 { margin.woke(late: 5_000) }
        #expect(margin.nanoseconds < 6_000)
    }
}
