/// A run of everything: measurements on several networks that together say which transport does what well.
public struct Suite: Sendable {
    /// One measurement.
    public struct Part: Sendable {
        /// A network that has a name; nil for the loopback of this machine, without an emulator.
        public var network: String?
        public var settings: BenchmarkSettings

        /// What a file of it is called, without its extension.
        public var name: String { self.network ?? "loopback" }
    }

    public let parts: [Part]

    /// What can be told in three minutes: sessions and bulk data on loopback, loss on a bad wireless network, and the
    /// distance of a mobile one.
    public static var quick: Suite {
        Suite(
            [
                (nil, [.handshake, .roundTrip, .throughput], messages: 2_000, handshakes: 20, seconds: 0.5),
                ("wifi-lossy", [.headOfLine, .state], messages: 5, handshakes: 0, seconds: 1),
                ("4g", [.handshake, .roundTrip], messages: 50, handshakes: 10, seconds: 1),
            ],
            transports: TransportKind.usual
        )
    }

    /// Everything over every transport, on networks from loopback to a satellite: within an hour.
    public static var full: Suite {
        let all: [Scenario] = [.handshake, .roundTrip, .latency, .headOfLine, .throughput, .state]
        return Suite(
            [
                (nil, all, messages: 10_000, handshakes: 100, seconds: 2),
                ("wifi", all, messages: 1_000, handshakes: 30, seconds: 2),
                ("wifi-lossy", all, messages: 500, handshakes: 30, seconds: 2),
                ("4g", all, messages: 200, handshakes: 20, seconds: 1),
                ("transatlantic", all, messages: 200, handshakes: 20, seconds: 1),
                ("satellite", all, messages: 20, handshakes: 5, seconds: 1),
            ],
            transports: TransportKind.allCases
        )
    }

    private typealias Row = (network: String?, scenarios: [Scenario], messages: Int, handshakes: Int, seconds: Double)

    private init(_ rows: [Row], transports: [TransportKind]) {
        self.parts = rows.map { row in
            var settings = BenchmarkSettings()
            (settings.scenarios, settings.transports) = (row.scenarios, transports)
            (settings.messages, settings.handshakes, settings.seconds) = (row.messages, row.handshakes, row.seconds)
            // As few as a comparison needs.
            settings.rounds = RatioInterval.leastRounds
            settings.warmUp = min(settings.warmUp, row.messages / 10)
            return Part(network: row.network, settings: settings)
        }
    }
}
