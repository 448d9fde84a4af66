public import NIOCore

/// What is measured, and how much of it.
public struct BenchmarkSettings: Sendable, Hashable {
    /// Whose sessions are measured; nil for those of this program.
    public var browser: Browser?
    /// In the order in which they are measured.
    public var scenarios = Scenario.usual
    /// In the order in which they are reported.
    public var transports = TransportKind.usual
    /// Sessions of each transport, each with one message in flight.
    public var connections = 1
    /// Round trips that count, for each transport, over all its sessions and rounds.
    public var messages = 10_000
    /// The payload of each message, in bytes.
    public var size = 64
    /// Turns that each transport gets.
    public var rounds = 10
    /// Round trips of each session before those that count.
    public var warmUp = 500
    /// Sessions that are opened to measure how long it takes, for each way to begin; 0 leaves that out.
    public var handshakes = 100
    /// Messages a second of each sequence, where messages have their times; nil for what the scenario is usually about.
    public var rate: Double?
    /// Sequences that have nothing to do with each other; nil for what the scenario is usually about.
    public var sequences: Int?
    /// Seconds of each turn that count, where messages have their times.
    public var seconds = 2.0
    /// Seconds before them that do not.
    var warmUpSeconds = 0.5
    /// How long to wait for echoes after the last message of such a turn.
    public var patience = TimeAmount.seconds(3)
    /// So much longer where messages wait behind a bulk transfer.
    static let bulkPatience: Int64 = 4
    /// How long to wait for echoes after the last message of such a load.
    func patience(for load: PacedLoad) -> TimeAmount {
        load.bulkSize == nil ? self.patience : self.patience * Self.bulkPatience
    }

    /// Whether transports are compared however busy the machine is.
    public var acceptsNoise = false
    /// After so long without its echo a datagram counts as lost.
    public var datagramTimeout = TimeAmount.seconds(1)

    public init() {}

    /// Checks every number against its bounds.
    /// - Throws: `BenchmarkError` with `usage`, whose message names the option and the reason.
    public func validate() throws(BenchmarkError) {
        // The client is one thread: beyond that many, it is measured and not the server.
        try Self.check("--connections", self.connections, 1...1_000)
        // A nanosecond value each: 800 MB would be held at a time if all came in one round.
        try Self.check("--messages", self.messages, 1...100_000_000)
        // A message begins with its number, in eight bytes. The upper bound is the server's limit for a message.
        try Self.check("--size", self.size, EchoMessage.minimumSize...1 << 20)
        try Self.check("--rounds", self.rounds, 1...1_000)
        try Self.check("--warm-up", self.warmUp, 0...1_000_000)
        // A TCP connection that this end closed occupies a port for a minute, and there are some 28,000 of them.
        try Self.check("--handshakes", self.handshakes, 0...10_000)
        // A thousand a second of a thousand sequences are as many as the harness can note for a minute.
        try Self.check("--rate", self.rate ?? 1, 0.1...10_000)
        try Self.check("--sequences", self.sequences ?? 1, 1...1_000)
        try Self.check("--seconds", self.seconds, 0.1...3_600)
        try self.validateBrowser()
        for scenario in self.scenarios { try self.validate(scenario) }
        guard self.messages >= self.rounds * self.connections else {
            throw BenchmarkError(
                .usage,
                "--messages \(self.messages) is less than one for each of \(self.connections) connections in each of "
                    + "\(self.rounds) rounds; ask for at least \(self.rounds * self.connections), or fewer rounds"
            )
        }
    }

    /// A page has what browsers give it.
    private func validateBrowser() throws(BenchmarkError) {
        guard let browser = self.browser else { return }
        for transport in self.transports where [.webSocketHTTP2, .webSocketHTTP3].contains(transport) {
            throw BenchmarkError(
                .usage,
                "a page in \(browser.rawValue) cannot choose \(transport.rawValue); leave it out of --transports"
            )
        }
        guard !self.scenarios.contains(.throughput) else {
            throw BenchmarkError(
                .usage,
                "\(Scenario.throughput.rawValue) is not measured in browsers yet; leave it out of --scenarios"
            )
        }
    }

    private func validate(_ scenario: Scenario) throws(BenchmarkError) {
        guard !self.transports(for: scenario).isEmpty else {
            throw BenchmarkError(
                .usage,
                "\(TransportKind.webTransportStreamPerSequence.rawValue) is \(TransportKind.webTransportStream.rawValue) "
                    + "where there is one sequence, as in \(scenario.rawValue); name that one"
            )
        }
        guard let load = self.load(for: scenario) else { return }
        // Some 40 bytes each are held until the turn ends.
        let limit = 10_000_000
        guard load.count * self.connections <= limit else {
            throw BenchmarkError(
                .usage,
                "\(scenario.rawValue) would send \(load.count * self.connections) messages in a turn, and \(limit) are the "
                    + "limit; choose fewer --seconds, --sequences or --connections, or a lower --rate"
            )
        }
    }

    /// What a scenario sends at fixed times; nil where that is not what it does.
    func load(for scenario: Scenario) -> PacedLoad? {
        guard var load = scenario.load else { return nil }
        load.sequences = self.sequences ?? load.sequences
        load.rate = self.rate ?? load.rate
        load.seconds = self.seconds
        load.warmUpSeconds = self.warmUpSeconds
        return load
    }

    /// The transports that differ from each other in a scenario: with one sequence, its stream is the one stream. How a
    /// session begins does not depend on what is sent on it.
    func transports(for scenario: Scenario) -> [TransportKind] {
        if scenario == .handshake { return self.transports }
        guard self.load(for: scenario)?.sequences ?? 1 == 1 else { return self.transports }
        return self.transports.filter { $0 != .webTransportStreamPerSequence }
    }

    private static func check<Number: Comparable>(
        _ option: String,
        _ value: Number,
        _ bounds: ClosedRange<Number>
    ) throws(BenchmarkError) {
        guard bounds.contains(value) else {
            throw BenchmarkError(
                .usage,
                "\(option) must be between \(bounds.lowerBound) and \(bounds.upperBound), not \(value)"
            )
        }
    }

    /// How sessions of the transports' families begin, in the order of their first mention.
    var starts: [SessionStart] {
        var families: [SessionFamily] = []
        for transport in self.transports where !families.contains(transport.family) {
            families.append(transport.family)
        }
        return families.flatMap { family in SessionStart.allCases.filter { $0.family == family } }
    }
}
