public import Foundation
import Histogram
import NIOCore

/// A measurement with all that is needed to read or repeat it: the content of the JSON file.
///
/// All durations are in nanoseconds.
public struct BenchmarkRecord: Sendable, Hashable, Codable {
    /// Rises when a reader of older files would misread this one.
    public static let schemaVersion = 2

    public var schemaVersion = Self.schemaVersion
    /// When the measurement ended (RFC 3339).
    public var date: String
    /// Who measured.
    public var client: ClientFacts
    /// Of the libraries of this package's client; nil for another one.
    public var versions: BenchmarkVersions?
    public var machine: MachineFacts
    /// Which processors the parts kept to; nil when that is not known.
    public var processors: ProcessorPlan?
    public var settings: Settings
    /// Whether the run was ended before all was measured that was asked for.
    public var isInterrupted: Bool
    /// What else the machine did meanwhile; nil when that is not known.
    public var noise: Noise?
    /// The emulated network; nil when there was none.
    public var network: NetworkRecord?
    /// Times to a usable session.
    public var handshakes: [Measured<SessionStart>]
    /// Times until the program has the echo of its first message.
    public var firstEchoes: [Measured<SessionStart>]
    public var roundTrips: [Measured<TransportKind>]
    /// The scenarios in which messages had their times.
    public var paced: [PacedRecord]

    /// One distribution.
    public struct Measured<Transport: Sendable & Hashable & Codable>: Sendable, Hashable, Codable {
        public var transport: Transport
        /// What is between the begin and the end of each duration.
        public var counted: String
        public var summary: Summary
        /// The median of each turn, in the order measured; empty where there are no turns.
        public var turnMedians: [UInt64]
        /// The median compared with that over WebSocket; nil where there is none, or there are too few turns.
        public var comparison: RatioInterval?
        /// What the sessions, or messages, have cost; nil when that is told elsewhere, or not known.
        public var cost: Cost?
        public var histogram: HistogramData
    }

    /// What was asked for.
    public struct Settings: Sendable, Hashable, Codable {
        public var target: String
        public var isOwnServer: Bool
        public var transports: [TransportKind]
        public var connections: Int
        public var messages: Int
        public var size: Int
        public var rounds: Int
        public var warmUp: Int
        public var handshakes: Int
        public var datagramTimeoutMilliseconds: Int64
        /// For echoes after the last message of a turn in which messages had their times.
        public var patienceMilliseconds: Int64
        /// Whether transports are compared however busy the machine is.
        public var acceptsNoise: Bool
    }

    /// - Parameter result: of all that `settings` asks for.
    public init(
        _ result: BenchmarkResult,
        settings: BenchmarkSettings,
        target: BenchmarkTarget,
        client: ClientFacts? = nil,
        versions: BenchmarkVersions,
        machine: MachineFacts,
        date: Date
    ) {
        self.date = date.formatted(.iso8601)
        self.client = client ?? ClientFacts(program: "apus", version: versions.apus)
        self.versions = versions
        self.machine = machine
        self.isInterrupted = result.isInterrupted
        self.settings = Settings(
            target: target.webTransportURL,
            isOwnServer: target.isOwnServer,
            transports: settings.transports,
            connections: settings.connections,
            messages: settings.messages,
            size: settings.size,
            rounds: settings.rounds,
            warmUp: settings.warmUp,
            handshakes: settings.handshakes,
            datagramTimeoutMilliseconds: settings.datagramTimeout.nanoseconds / 1_000_000,
            patienceMilliseconds: settings.patience.nanoseconds / 1_000_000,
            acceptsNoise: settings.acceptsNoise
        )
        let handshakes = result.handshakes
        self.handshakes = settings.starts.compactMap { start in
            handshakes[start].map {
                let reference = handshakes[start.reference]?.session
                return Measured(start, counted: start.handshake, $0.session, reference: reference, cost: $0.cost)
            }
        }
        self.firstEchoes = settings.starts.compactMap { start in
            handshakes[start].map {
                let counted = "\(start.handshake), first message echoed"
                return Measured(
                    start,
                    counted: counted,
                    $0.firstEcho,
                    reference: handshakes[start.reference]?.firstEcho
                )
            }
        }
        self.roundTrips = settings.transports.compactMap { transport in
            result.roundTrips[transport].map {
                Measured(
                    transport,
                    counted: "from before the send until the program has the whole echo",
                    $0.times,
                    reference: result.roundTrips[.webSocket]?.times,
                    cost: $0.cost
                )
            }
        }
        self.paced = settings.scenarios.compactMap { scenario in
            guard let load = settings.load(for: scenario), let series = result.paced[scenario], !series.isEmpty else {
                return nil
            }
            return PacedRecord(
                scenario,
                load: load,
                settings.transports.compactMap { transport in series[transport].map { (transport, $0) } }
            )
        }
    }

    /// Whether its sessions were a browser's.
    var isOfBrowser: Bool { self.client.program != "apus" }

    /// Why nothing may be concluded from the run; nil when something may, or the user wants it so.
    public var objection: String? { self.settings.acceptsNoise ? nil : self.noise?.objection }

    /// Notes what else the machine did, and takes back the comparisons if that was too much.
    public mutating func add(_ noise: Noise?) {
        self.noise = noise
        guard self.objection != nil else { return }
        for index in self.handshakes.indices { self.handshakes[index].comparison = nil }
        for index in self.firstEchoes.indices { self.firstEchoes[index].comparison = nil }
        for index in self.roundTrips.indices { self.roundTrips[index].comparison = nil }
        for index in self.paced.indices { self.paced[index].withholdComparisons() }
    }

    /// One line of JSON, its keys in alphabetical order.
    public func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self) + Data("\n".utf8)
    }
}

extension BenchmarkRecord.Measured {
    fileprivate init(_ transport: Transport, counted: String, _ series: Series, reference: Series?, cost: Cost? = nil) {
        self.transport = transport
        self.counted = counted
        self.summary = Summary(series)
        self.turnMedians = series.turnMedians
        self.comparison = reference.flatMap { RatioInterval(of: series.turnMedians, to: $0.turnMedians) }
        self.cost = cost
        self.histogram = HistogramData(series.histogram)
    }
}
