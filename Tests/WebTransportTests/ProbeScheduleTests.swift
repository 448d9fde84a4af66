import NIOCore
import Testing

@testable import WebTransport

@Suite("Probes of CONNECT streams")
struct ProbeScheduleTests {
    private static func time(_ milliseconds: Int64) -> NIODeadline {
        .uptimeNanoseconds(UInt64(milliseconds) * 1_000_000)
    }

    private var schedule = ProbeSchedule()

    private mutating func arrived(
        at milliseconds: Int64,
        isSilent: Bool = true,
        inFlight: UInt64 = 0,
        roundTrip: TimeAmount = .milliseconds(1)
    ) -> Bool {
        self.schedule.packetsArrived(
            at: Self.time(milliseconds),
            isSilent: isSilent,
            bytesInFlight: inFlight,
            roundTrip: roundTrip
        )
    }

    @Test("Packets lead to one probe a second; those in between to one at its end")
    mutating func interval() {
        let first = self.arrived(at: 0, isSilent: false)
        let second = self.arrived(at: 10, isSilent: false)
        #expect(first && !second)
        #expect(self.schedule.deadline == Self.time(1000))
        let early = self.schedule.timedOut(at: Self.time(999), bytesInFlight: 0)
        let due = self.schedule.timedOut(at: Self.time(1000), bytesInFlight: 0)
        #expect(!early && due)
        #expect(self.schedule.deadline == nil)
    }

    @Test("The acknowledgement of a probe leads to none, and what is said after it to another")
    mutating func acknowledgement() {
        _ = self.arrived(at: 0)
        let acknowledged = self.arrived(at: 1)
        #expect(!acknowledged)
        #expect(self.schedule.deadline == nil)
        let next = self.arrived(at: 5000)
        #expect(next)
    }

    @Test("A slow path is probed every four round trips at most")
    mutating func slowPath() {
        _ = self.arrived(at: 0, isSilent: false)
        _ = self.arrived(at: 1500, isSilent: false, roundTrip: .seconds(1))
        #expect(self.schedule.deadline == Self.time(4000))
    }
}
