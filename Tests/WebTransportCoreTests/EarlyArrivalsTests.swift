import Testing
import WebTransportCore

@Suite("What arrives before its session (draft-ietf-webtrans-http3 § 4.6) [17]")
struct EarlyArrivalsTests {
    @Test("Streams and datagrams come out in order of arrival, for their session only, and once")
    func order() {
        var early = EarlyArrivals<Int, String>()
        #expect(early.isEmpty)
        for number in 0..<6 {
            let held = early.hold(number, for: number % 2 == 0 ? 0 : 4)
            #expect(held)
            early.hold("\(number)", for: number % 2 == 0 ? 0 : 4)
        }
        let first = early.take(4)
        #expect(first.streams == [1, 3, 5])
        #expect(first.datagrams == ["1", "3", "5"])
        let again = early.take(4)
        #expect(again.streams.isEmpty && again.datagrams.isEmpty)
        #expect(!early.isEmpty)
        let second = early.take(0)
        #expect(second.streams == [0, 2, 4])
        #expect(second.datagrams == ["0", "2", "4"])
        #expect(early.isEmpty)
    }

    @Test("24 streams are held, for all sessions together; the next is refused until some are taken")
    func streamLimit() {
        var early = EarlyArrivals<Int, String>()
        for number in 0..<24 {
            let held = early.hold(number, for: Int64(number % 3) * 4)
            #expect(held)
        }
        let refused = [early.hold(24, for: 0), early.hold(24, for: 400)]
        #expect(refused == [false, false])
        let taken = early.take(0).streams
        #expect(taken.count == 8)
        let held = early.hold(25, for: 4)
        #expect(held)
        let others = early.take(4).streams
        #expect(others == [1, 4, 7, 10, 13, 16, 19, 22, 25])
    }

    @Test("24 datagrams are held; the oldest gives way to the newest")
    func datagramLimit() {
        var early = EarlyArrivals<Int, String>()
        for number in 0..<30 { early.hold("\(number)", for: 0) }
        // Datagrams take no room from streams.
        let held = early.hold(1, for: 0)
        #expect(held)
        let datagrams = early.take(0).datagrams
        #expect(datagrams == (6..<30).map(String.init))
    }
}
