import ArgumentParser
import Glibc
import HTTPSemantics
import NetworkEmulation
import NetworkModel
import TransportBenchmark

/// `apus bench`
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Compare WebTransport and WebSocket on one server.",
        discussion: """
            Measures what messages to an echo endpoint and back take, over the same TLS library. Transports take turns, \
            so that whatever drifts hits all alike; every echo is checked. Without --target it starts `apus serve` as a \
            second process on the loopback.

            Scenarios:
              handshake     the time to a usable session and to its first echo, with a full handshake and a resumed one
              round-trip    one message after the other: a closed loop, in which a transport that answers late is asked \
            less often
              latency       messages at fixed times: an age counts from when a message was due
              head-of-line  eight independent sequences at fixed times, which may hold each other up
              throughput    16 KiB at a time there and back, and what that does to messages on the same session
              state         60 updates a second of which only the newest matters: how stale is the other end?

            A target must answer https://HOST:PORT/PATH over HTTP/3 (WebTransport) and wss://HOST:PORT/PATH (WebSocket): \
            the bytes of each bidirectional stream come back on it and it ends when the client's half does, datagrams \
            and binary messages come back as they are. Without a path it is /echo.

            With --network client and server run in two network namespaces, and a third process carries each packet between \
            them with the delay, loss and bandwidth of that network. It needs no privileges. Named networks: \
            \(Network.named.map(\.name).joined(separator: ", ")); the README describes the file. A round trip takes twice \
            the delay: ask for fewer messages on far networks.

              apus bench
              apus bench --network 4g --messages 500 --handshakes 20
              apus bench --scenarios head-of-line,state --network wifi-lossy
              apus bench --connections 8 --size 1000 --html comparison.html --json comparison.json
              apus bench --transports wt-datagram,ws --messages 100000
              apus bench --client chromium --network 4g --messages 100 --handshakes 10
              apus bench --target https://localhost:4433 --hash 5f2c…
            """,
        subcommands: [BenchSuiteCommand.self, BenchDiffCommand.self]
    )

    @Option(help: ArgumentHelp("Measure this server instead: https://host:port[/path].", valueName: "url"))
    var target: String?

    @Option(
        help: ArgumentHelp(
            "Whose sessions to measure: swift, chromium or firefox. A browser is started without a window.",
            valueName: "name"
        )
    )
    var client = ClientOption.swift

    @Option(
        help: ArgumentHelp(
            "\(Scenario.allCases.map(\.rawValue).joined(separator: ", ")); separated by commas.",
            valueName: "list"
        )
    )
    var scenarios = Scenario.usual.map(\.rawValue).joined(separator: ",")

    @Option(
        help: ArgumentHelp(
            "\(TransportKind.allCases.map(\.rawValue).joined(separator: ", ")); separated by commas.",
            valueName: "list"
        )
    )
    var transports = TransportKind.usual.map(\.rawValue).joined(separator: ",")

    @Option(
        help: ArgumentHelp("Sessions of each transport, with one message in flight on each; 1 to 1000.", valueName: "n")
    )
    var connections = BenchmarkSettings().connections

    @Option(
        help: ArgumentHelp("Round trips that count, for each transport, over all sessions and rounds.", valueName: "n")
    )
    var messages = BenchmarkSettings().messages

    @Option(help: ArgumentHelp("The payload of each message, 8 to 1048576.", valueName: "bytes"))
    var size = BenchmarkSettings().size

    @Option(help: ArgumentHelp("Turns that each transport gets, 1 to 1000.", valueName: "n"))
    var rounds = BenchmarkSettings().rounds

    @Option(help: ArgumentHelp("Round trips of each session that do not count.", valueName: "n"))
    var warmUp = BenchmarkSettings().warmUp

    @Option(help: ArgumentHelp("Sessions to open for the time to a usable one; 0 leaves that out.", valueName: "n"))
    var handshakes = BenchmarkSettings().handshakes

    @Option(
        help: ArgumentHelp("Messages a second of each sequence, where messages have their times.", valueName: "n")
    )
    var rate: Double?

    @Option(help: ArgumentHelp("Independent sequences of such messages, 1 to 1000.", valueName: "n"))
    var sequences: Int?

    @Option(help: ArgumentHelp("Seconds that count in each turn of such messages.", valueName: "n"))
    var seconds = BenchmarkSettings().seconds

    @Flag(help: "Compare transports even if other programs keep the machine busy.")
    var allowNoise = false

    @Flag(help: "Let the system choose processors for the client and the server, instead of one for each.")
    var noPinning = false

    @OptionGroup var emulation: NetworkOptions

    @OptionGroup var trust: TrustOptions

    @Option(
        help: ArgumentHelp(
            "The process of a --target on this machine, whose use of the processor counts.",
            valueName: "id"
        )
    )
    var serverProcess: Int32?

    @OptionGroup var output: BenchOutput

    func validate() throws {
        try self.emulation.validate(target: self.target)
        guard self.target != nil || (self.trust.hash.isEmpty && !self.trust.insecure) else {
            throw ValidationError("--hash and --insecure are for a --target; the command's own server needs neither.")
        }
        guard self.target != nil || self.serverProcess == nil else {
            throw ValidationError("--server-process is for a --target; the command's own server needs none.")
        }
        do {
            try self.settings().validate()
        } catch {
            throw ValidationError(error.message + ".")
        }
    }

    func run() async throws {
        do {
            try await self.compare()
        } catch let error as BenchmarkError {
            throw CommandFailure.report(error.message, error.code.exitCode)
        } catch let error as NetworkError {
            throw CommandFailure.report(error.message, error.code.exitCode)
        } catch let error as Interrupted {
            // The outer process says so.
            if self.emulation.withinNetwork { throw ExitCode(Interruption.exitCode(error.signal)) }
            throw CommandFailure.report("interrupted before anything was measured", Interruption.exitCode(error.signal))
        } catch {
            throw CommandFailure.report(error)
        }
    }

    private func compare() async throws {
        let measurement = try Measurement(
            settings: self.settings(),
            subject: self.subject(),
            network: self.emulation.request(),
            // The many processes of a browser on one processor are not what its users have.
            processors: self.noPinning || self.emulation.withinNetwork || self.client != .swift
                ? .none : ProcessorPlan(),
            watchesOthers: !self.emulation.withinNetwork
        )
        let files = try self.output.open()
        defer { files.discard() }
        let progress = StandardErrorProgress()
        let (record, signal): (BenchmarkRecord, CInt?)
        do {
            (record, signal) = try await Interruption().concluding { try await measurement.run(progress) }
            progress.finish()
        } catch {
            progress.finish()
            throw error
        }
        FileDescriptorOutput.standardOutput(BenchmarkReport(record).text)
        try files.write(record)
        guard let signal else { return }
        let code = Interruption.exitCode(signal)
        // The outer process says so.
        if self.emulation.withinNetwork { throw ExitCode(code) }
        throw CommandFailure.report("interrupted; the report has what was measured until then", code)
    }

    private func subject() throws -> Measurement.Subject {
        guard let target = self.target else { return .ownServer }
        guard let url = SessionURL(target) else {
            throw BenchmarkError(.usage, "\(target.debugDescription) is not a URL; write https://host:port/path")
        }
        return .target(
            try BenchmarkTarget(
                url: url,
                credentials: self.trust.credentials(),
                fingerprints: self.trust.fingerprints,
                process: self.serverProcess,
                device: self.emulation.withinNetwork ? NamespacePair.deviceName : nil
            )
        )
    }

    private static let browserWarmUp = 20

    private func settings() throws(BenchmarkError) -> BenchmarkSettings {
        var settings = BenchmarkSettings()
        settings.scenarios = try Scenario.list(self.scenarios)
        settings.transports = try TransportKind.list(self.transports)
        settings.connections = self.connections
        settings.messages = self.messages
        settings.size = self.size
        settings.rounds = self.rounds
        settings.warmUp = self.warmUp
        settings.handshakes = self.handshakes
        settings.acceptsNoise = self.allowNoise
        settings.browser = self.client.browser
        // A page opens new sessions for each turn, and warms up each.
        if settings.browser != nil { settings.warmUp = min(settings.warmUp, Self.browserWarmUp) }
        (settings.rate, settings.sequences, settings.seconds) = (self.rate, self.sequences, self.seconds)
        return settings
    }
}

/// Whose sessions are measured.
enum ClientOption: String, ExpressibleByArgument, CaseIterable {
    case swift, chromium, firefox

    var browser: Browser? { Browser(rawValue: self.rawValue) }
}

extension BenchmarkError.Code {
    /// Its code in sysexits(3).
    var exitCode: CInt {
        switch self {
        case .usage: EX_USAGE
        case .unavailable: EX_UNAVAILABLE
        case .cannotCreate: EX_CANTCREAT
        case .inputOutput: EX_IOERR
        case .unreadable: EX_NOINPUT
        // Such as an echo that differs.
        default: EX_SOFTWARE
        }
    }
}
