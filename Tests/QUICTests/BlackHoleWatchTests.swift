import NIOCore
import QUIC
import Testing

@Suite("Whether a path still carries large packets")
struct BlackHoleWatchTests {
    private static let timeout = TimeAmount.milliseconds(50)
    private var watch = BlackHoleWatch()
    private var now = NIODeadline.uptimeNanoseconds(1_000_000_000)

    /// Large packets are sent, and for three probe timeouts nothing is acknowledged.
    private mutating func stall(packet size: Int = 1452, hasDatagram: Bool = false) {
        self.watch.packetSent(size, hasDatagram: hasDatagram, at: self.now)
        self.now = self.now + Self.timeout * 3
        self.watch.timerFired(probeTimeout: Self.timeout, at: self.now)
    }

    private mutating func acknowledge(_ count: Int = 1100) {
        self.watch.acknowledged(count, hasUnacknowledgedData: true, at: self.now)
    }

    @Test("Three probe timeouts without an acknowledgement make it try small packets, and no fewer")
    mutating func patience() {
        self.watch.packetSent(1452, hasDatagram: false, at: self.now)
        self.now = self.now + Self.timeout * 3 - .nanoseconds(1)
        self.watch.timerFired(probeTimeout: Self.timeout, at: self.now)
        #expect(self.watch.limit == nil)
        self.now = self.now + .nanoseconds(1)
        self.watch.timerFired(probeTimeout: Self.timeout, at: self.now)
        #expect(self.watch.limit == 1200)
        #expect(self.watch.datagramLimit == nil)
    }

    @Test("Only what is acknowledged counts as progress, and each time the wait begins anew")
    mutating func progress() {
        for _ in 0..<10 {
            self.watch.packetSent(1452, hasDatagram: false, at: self.now)
            self.now = self.now + Self.timeout * 2
            self.watch.timerFired(probeTimeout: Self.timeout, at: self.now)
            self.acknowledge()
        }
        #expect(self.watch.limit == nil)
    }

    @Test(
        "Small packets that are lost, and large ones with datagrams, say nothing",
        arguments: [(1200, false), (1452, true)]
    )
    mutating func unsuspicious(size: Int, hasDatagram: Bool) {
        self.stall(packet: size, hasDatagram: hasDatagram)
        #expect(self.watch.limit == nil)
    }

    @Test("Large packets that are lost again after small ones got through limit the path, for ten minutes")
    mutating func limited() {
        self.stall()
        self.acknowledge()
        #expect(self.watch.limit == nil)
        self.stall()
        #expect(self.watch.limit == 1200)
        #expect(self.watch.datagramLimit == nil)
        self.acknowledge()
        #expect(self.watch.limit == 1200)
        #expect(self.watch.datagramLimit == 1200)
        self.now = self.now + .minutes(10) - .nanoseconds(1)
        self.watch.timerFired(probeTimeout: Self.timeout, at: self.now)
        #expect(self.watch.limit == 1200)
        self.now = self.now + .nanoseconds(1)
        self.watch.timerFired(probeTimeout: Self.timeout, at: self.now)
        #expect(self.watch.limit == nil)
        #expect(self.watch.datagramLimit == nil)
        // Still narrow: one trial is enough to know.
        self.stall()
        self.acknowledge()
        #expect(self.watch.datagramLimit == 1200)
    }

    @Test("An outage leaves the path as it is: afterwards large packets get through")
    mutating func outage() {
        for _ in 0..<3 {
            self.stall()
            self.acknowledge()
            #expect(self.watch.limit == nil)
            for _ in 0..<10 { self.acknowledge() }
        }
        #expect(self.watch.datagramLimit == nil)
    }
}
