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

    @Test("Two idle ends that probe each other fall silent within seconds, whatever their phases", arguments: 0..<100)
    func twoEnds(phase: Int64) {
        // Each probe reaches the other end after a millisecond, which acknowledges it in a packet of its own.
        enum Arrival { case packet, acknowledgement }
        var ends = [ProbeSchedule(), ProbeSchedule()]
        var inFlight: [UInt64] = [0, 0]
        var arrivals: [(at: Int64, end: Int, Arrival, isSilent: Bool)] = [
            (phase * 10, 0, .packet, false), (0, 1, .packet, false),
        ]
        var lastProbe: Int64 = 0
        func probe(_ end: Int, at time: Int64) {
            lastProbe = time
            inFlight[end] += 1
            arrivals.append((time + 1, 1 - end, .packet, true))
        }
        for time: Int64 in 0..<120_000 {
            let now = Self.time(time)
            for arrival in arrivals where arrival.at == time {
                let end = arrival.end
                switch arrival.2 {
                case .packet: if arrival.isSilent { arrivals.append((time + 1, 1 - end, .acknowledgement, true)) }
                case .acknowledgement: inFlight[end] -= 1
                }
                let isDue = ends[end].packetsArrived(
                    at: now,
                    isSilent: arrival.isSilent,
                    bytesInFlight: inFlight[end],
                    roundTrip: .milliseconds(2)
                )
                if isDue { probe(end, at: time) }
            }
            arrivals.removeAll { $0.at <= time }
            for end in 0...1 where ends[end].timedOut(at: now, bytesInFlight: inFlight[end]) { probe(end, at: time) }
        }
        #expect(lastProbe < 10_000)
    }

    @Test("After half a minute of silence a packet without an event is a reason again")
    mutating func purse() {
        _ = self.arrived(at: 0, isSilent: false)
        // Other things are in flight, so that none of these is a probe's own acknowledgement.
        let answers = [2000, 4000, 6000, 40_000].map { self.arrived(at: $0, inFlight: 100) }
        #expect(answers == [true, true, false, true])
    }
}
