import CNetworkEmulation
import Glibc
import HeapModule
public import NetworkModel

/// Carries IP packets between two descriptors, as a network would.
///
/// It belongs to the thread that runs it. Packets other than IPv4 go nowhere and do not count: those that kernels send
/// on their own would change the numbers of those that follow.
public struct Emulator: ~Copyable {
    private var up: Wire
    private var down: Wire
    private var underWay: Heap<Packet> = []
    /// When the first packet came.
    private var start: Int64?
    private var packetCount: UInt64 = 0
    private var margin = WakeMargin()

    /// Packets of one direction that are read in a turn, so that those of the other do not wait.
    private static let batch = 64

    /// - Parameters:
    ///   - client: a non-blocking descriptor, each read and write of which is a packet; the caller's.
    ///   - server: the same at the other end.
    public init(_ network: Network, seed: UInt64, client: CInt, server: CInt) {
        self.up = Wire(network.up, seed: seed, .up, from: client, to: server)
        self.down = Wire(network.down, seed: seed, .down, from: server, to: client)
    }

    /// What has happened so far.
    public var report: EmulationReport {
        EmulationReport(up: self.up.report, down: self.down.report)
    }

    /// Carries packets until `control` can be read or has been closed at its other end.
    /// - Throws: `NetworkError` with `inputOutput` when an end fails.
    public mutating func run(until control: CInt) throws(NetworkError) {
        CNetworkEmulation_sharpen_timers()
        while true {
            let ready = try self.waitForWork(control)
            guard !ready.contains(.control) else { return }
            if ready.contains(.client) { try self.collect(.up) }
            if ready.contains(.server) { try self.collect(.down) }
            self.deliver()
        }
    }

    /// Waits until there is something to read or a packet is almost due.
    private mutating func waitForWork(_ control: CInt) throws(NetworkError) -> Readiness {
        var descriptors = [self.up.source, self.down.source, control].map {
            pollfd(fd: $0, events: CShort(POLLIN), revents: 0)
        }
        let wake = self.underWay.min.map { $0.due - self.margin.nanoseconds }
        let timeout = wake.map { max(0, $0 - MonotonicClock.now()) } ?? -1
        let count = CNetworkEmulation_poll(&descriptors, descriptors.count, timeout)
        guard count >= 0 || errno == EINTR else { throw Self.failed("poll", errno) }
        if count == 0, timeout > 0, let wake { self.margin.woke(late: MonotonicClock.now() - wake) }
        return Readiness(descriptors)
    }

    /// Reads what came to one end and decides what becomes of it.
    private mutating func collect(_ direction: Direction) throws(NetworkError) {
        for _ in 0..<Self.batch {
            guard let bytes = try self.read(direction) else { return }
            let now = MonotonicClock.now()
            guard bytes.first.map({ $0 >> 4 }) == 4 else { continue }
            let start = self.start ?? now
            self.start = start
            guard let due = self.withWire(direction, { $0.packetArrived(bytes.count, at: now, start: start) }) else {
                continue
            }
            self.packetCount += 1
            self.underWay.insert(
                Packet(due: due, number: self.packetCount, arrival: now, direction: direction, bytes: bytes)
            )
        }
    }

    /// - Returns: nil when nothing is there.
    private func read(_ direction: Direction) throws(NetworkError) -> [UInt8]? {
        let (source, mtu) = direction == .up ? (self.up.source, self.up.mtu) : (self.down.source, self.down.mtu)
        var result = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: mtu) { buffer, count in
            result = Glibc.read(source, buffer.baseAddress, mtu)
            count = max(0, result)
        }
        if result > 0 { return bytes }
        guard result == 0 || errno == EAGAIN || errno == EINTR else { throw Self.failed("read", errno) }
        return nil
    }

    /// Writes the packets that are due, in the order in which they are.
    private mutating func deliver() {
        var now = MonotonicClock.now()
        while let next = self.underWay.min, next.due <= now {
            let packet = self.underWay.removeMin()
            self.withWire(packet.direction) { $0.deliver(packet, at: now) }
            now = MonotonicClock.now()
        }
    }

    private mutating func withWire<Result>(_ direction: Direction, _ body: (inout Wire) -> Result) -> Result {
        switch direction {
        case .up: body(&self.up)
        case .down: body(&self.down)
        }
    }

    private static func failed(_ call: String, _ error: CInt) -> NetworkError {
        NetworkError(.inputOutput, "the emulated network failed: \(call): \(String(cString: strerror(error)))")
    }
}

/// What can be read.
private struct Readiness: OptionSet {
    static let client = Self(rawValue: 1 << 0)
    static let server = Self(rawValue: 1 << 1)
    static let control = Self(rawValue: 1 << 2)

    let rawValue: Int

    init(rawValue: Int) { self.rawValue = rawValue }

    /// - Parameter descriptors: of the client's end, the server's and the control, after a call of poll(2).
    init(_ descriptors: [pollfd]) {
        self = []
        for (index, descriptor) in descriptors.enumerated() where descriptor.revents != 0 {
            self.formUnion(Self(rawValue: 1 << index))
        }
    }
}
