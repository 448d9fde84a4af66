import Glibc
import Testing

@testable import TransportBenchmark

@Suite("What messages have cost, and what else the machine did")
struct CostTests {
    @Test("A process that computes uses its processor, and its switches are those of all its threads")
    func process() throws {
        let before = try #require(ProcessUse(of: getpid()))
        var state: UInt64 = 1
        while try #require(ProcessUse(of: getpid())).processorNanoseconds < before.processorNanoseconds + 1_000_000 {
            for _ in 0..<10_000 { state = state &* 6_364_136_223_846_793_005 &+ 1 }
        }
        #expect(state != 0)
        let used = try #require(ProcessUse(of: getpid())) - before
        #expect(used.processorNanoseconds >= 1_000_000)
        #expect(before.contextSwitches > 0)
    }

    @Test("Of a process that is gone nothing is known")
    func noProcess() {
        // Linux gives no number as high (proc(5), pid_max).
        #expect(ProcessUse(of: 1 << 22) == nil)
        #expect(ProcessUse(of: -1) == nil)
    }

    private static let devices = """
        Inter-|   Receive                                                |  Transmit
         face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
            lo: 1000      10    0    0    0     0          0         0     1000      10    0    0    0     0       0          0
          link:  300       4    0    0    0     0          0         0      200       3    0    0    0     0       0          0
        """

    @Test("What a device received and sent is on the wire; what a loopback device sends, it receives")
    func wire() {
        #expect(WireUse(of: "link", in: Self.devices) == WireUse(bytes: 500, packets: 7))
        #expect(WireUse(of: "lo", in: Self.devices) == WireUse(bytes: 1_000, packets: 10))
        #expect(WireUse(of: "eth0", in: Self.devices) == nil)
        #expect(WireUse(of: "link", in: "link: 1 2") == nil)
    }

    @Test("What is unknown in one turn is unknown of all")
    func sum() {
        let known = Cost(
            count: 2,
            client: ProcessUse(processorNanoseconds: 10, contextSwitches: 1),
            server: ProcessUse(processorNanoseconds: 20, contextSwitches: 2),
            wire: nil
        )
        let sum = Cost.none + known + known
        #expect(sum.count == 4)
        #expect(sum.server == ProcessUse(processorNanoseconds: 40, contextSwitches: 4))
        #expect(sum.wire == nil)
    }

    @Test("The table divides by what was paid for, and names what is not known")
    func table() {
        let cost = Cost(
            count: 4,
            client: ProcessUse(processorNanoseconds: 400_000, contextSwitches: 6),
            server: nil,
            wire: WireUse(bytes: 1_000, packets: 10)
        )
        let lines = CostReport.table("message", [("ws", cost), ("wt-stream", nil)])?.lines
        #expect(lines?.count == 2, "what is not known has no line")
        #expect(lines?.last?.split(separator: " ").joined(separator: " ") == "ws – – 100 µs 1.5 250 2.5")
        #expect(CostReport.table("message", [("ws", nil)]) == nil)
    }

    @Test("Busy is what ran programs, on the processors that count; what the host took away counts for itself")
    func processors() throws {
        let text = """
            cpu  99 99 99 99 99 99 99 99 0 0
            cpu0 10 2 3 500 7 11 13 5 0 0
            cpu1 20 0 0 500 0 0 0 0 0 0
            cpu11 1 0 0 0 0 0 0 0 0 0
            """
        let tick = 1_000_000_000 / UInt64(sysconf(CInt(_SC_CLK_TCK)))
        let one = try #require(NoiseMeter.times(of: [0], in: text))
        #expect(one == (15 * tick, 5 * tick))
        #expect(try #require(NoiseMeter.times(of: [0, 1], in: text)) == (35 * tick, 5 * tick))
        #expect(NoiseMeter.times(of: [0, 2], in: text) == nil)
    }

    @Test("A quarter of a processor that others use, or that the host takes away, is too much")
    func objection() throws {
        #expect(Self.noise(others: 200, stolen: 200).objection == nil)
        #expect(try #require(Self.noise(others: 300, stolen: 0).objection).contains("0.30 of 2 processors"))
        #expect(try #require(Self.noise(others: 0, stolen: 300).objection).contains("the host"))
    }

    private static func noise(others: UInt64, stolen: UInt64) -> Noise {
        Noise(elapsed: 1_000, coreCount: 2, others: others, stolen: stolen)
    }

    @Test("What this process does is not what others do")
    func own() throws {
        let meter = try #require(NoiseMeter())
        let before = try #require(ProcessUse.processorNanoseconds(of: getpid()))
        var state: UInt64 = 1
        // Ten ticks of the clocks that are compared.
        while try #require(ProcessUse.processorNanoseconds(of: getpid())) < before + 100_000_000 {
            for _ in 0..<10_000 { state = state &* 6_364_136_223_846_793_005 &+ 1 }
        }
        let noise = try #require(meter.noise())
        #expect(state != 0)
        #expect(noise.coreCount == ProcessorPlan.available.count)
        // Of all that was busy, what this process used is left out, but for a few ticks; what others did is not known.
        #expect(noise.others <= noise.elapsed * UInt64(noise.coreCount) - 50_000_000)
    }
}

@Suite("Who runs where")
struct ProcessorPlanTests {
    @Test(
        "The client has one processor, from three on the emulator too, and the server the others",
        arguments: [
            ([], [], [], []), ([4], [], [], []), ([0, 1], [1], [], [0]), ([0, 2, 5], [5], [2], [0]),
            ([0, 1, 2, 3], [3], [2], [0, 1]),
        ] as [([Int32], [Int32], [Int32], [Int32])]
    )
    func plan(processors: [Int32], client: [Int32], emulator: [Int32], server: [Int32]) {
        let plan = ProcessorPlan(sharing: processors)
        #expect(plan.client == client)
        #expect(plan.emulator == emulator)
        #expect(plan.server == server)
    }

    @Test("This process may run somewhere")
    func available() {
        #expect(!ProcessorPlan.available.isEmpty)
    }
}
