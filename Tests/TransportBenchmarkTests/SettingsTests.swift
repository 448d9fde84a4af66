import Credentials
import HTTPSemantics
import Testing

@testable import TransportBenchmark

@Suite("What may be asked for")
struct SettingsTests {
    @Test("The defaults are valid")
    func defaults() throws {
        try BenchmarkSettings().validate()
    }

    @Test(
        "A number out of bounds is refused by the name of its option",
        arguments: [
            ("--connections", \BenchmarkSettings.connections, 0), ("--connections", \.connections, 1_001),
            ("--messages", \.messages, 0), ("--size", \.size, 7), ("--size", \.size, (1 << 20) + 1),
            ("--rounds", \.rounds, 0), ("--warm-up", \.warmUp, -1), ("--handshakes", \.handshakes, 10_001),
        ] as [(String, any WritableKeyPath<BenchmarkSettings, Int> & Sendable, Int)]
    )
    func bounds(option: String, path: any WritableKeyPath<BenchmarkSettings, Int> & Sendable, value: Int) {
        var settings = BenchmarkSettings()
        settings[keyPath: path] = value
        let error = #expect(throws: BenchmarkError.self) { try settings.validate() }
        #expect(error?.code == .usage)
        #expect(error?.message.hasPrefix(option) == true)
    }

    @Test("Every connection makes a round trip in every round")
    func enoughMessages() {
        var settings = BenchmarkSettings()
        (settings.messages, settings.rounds, settings.connections) = (99, 10, 10)
        #expect(throws: BenchmarkError.self) { try settings.validate() }
        settings.messages = 100
        #expect(throws: Never.self) { try settings.validate() }
    }

    @Test("A time out of bounds is refused by the name of its option")
    func pacedBounds() {
        for (option, change) in [
            ("--rate", { $0.rate = 0 }), ("--rate", { $0.rate = .nan }), ("--rate", { $0.rate = 20_000 }),
            ("--sequences", { $0.sequences = 0 }), ("--seconds", { $0.seconds = .infinity }),
            // Too many to be noted.
            ("latency", { ($0.rate, $0.seconds) = (10_000, 3_600) }),
        ] as [(String, (inout BenchmarkSettings) -> Void)] {
            var settings = BenchmarkSettings()
            settings.scenarios = [.latency]
            change(&settings)
            let error = #expect(throws: BenchmarkError.self) { try settings.validate() }
            #expect(error?.code == .usage)
            #expect(error?.message.hasPrefix(option) == true)
        }
    }

    @Test("A stream for each sequence is the one stream where there is one sequence")
    func oneSequence() throws {
        var settings = BenchmarkSettings()
        #expect(settings.transports(for: .headOfLine).contains(.webTransportStreamPerSequence))
        #expect(!settings.transports(for: .latency).contains(.webTransportStreamPerSequence))
        #expect(!settings.transports(for: .roundTrip).contains(.webTransportStreamPerSequence))
        settings.transports = [.webTransportStreamPerSequence]
        #expect(throws: BenchmarkError.self) { try settings.validate() }
        settings.scenarios = [.handshake, .headOfLine]
        try settings.validate()
    }

    @Test("A list of scenarios keeps its order, and names none twice")
    func scenarios() throws {
        #expect(try Scenario.list("state,handshake") == [.state, .handshake])
        #expect(throws: BenchmarkError.self) { try Scenario.list("state,state") }
        #expect(throws: BenchmarkError.self) { try Scenario.list("fan") }
    }

    @Test("A list of transports keeps its order")
    func list() throws {
        #expect(try TransportKind.list("ws,wt-datagram") == [.webSocket, .webTransportDatagram])
    }

    @Test("An unknown, repeated or missing transport is refused", arguments: ["", "wt", "ws,ws", "ws, wt-stream"])
    func badList(text: String) {
        #expect(throws: BenchmarkError.self) { try TransportKind.list(text) }
    }

    @Test("A target without a path means its echo endpoint, over both kinds of session")
    func target() throws {
        let credentials = try ClientCredentials(verification: .none)
        let bare = try BenchmarkTarget(url: #require(SessionURL("https://h:4433")), credentials: credentials)
        #expect(bare.webTransportURL == "https://h:4433/echo")
        #expect(bare.webSocketURL == "wss://h:4433/echo")
        let path = try BenchmarkTarget(url: #require(SessionURL("https://h/a?b")), credentials: credentials)
        #expect(path.webSocketURL == "wss://h/a?b")
        let plain = try #require(SessionURL("ws://h"))
        #expect(throws: BenchmarkError.self) { try BenchmarkTarget(url: plain, credentials: credentials) }
    }
}
