import ApusServer
import ArgumentParser
import Credentials
import Foundation
import HTTPSemantics
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import UnixSignals
import WebTransport

/// `apus serve`
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve WebTransport, HTTP/3, WebSocket, and the lab page.",
        discussion: """
            Without --certificate it uses certs/development.pem, which it makes when there is none and renews before it \
            expires. Logs go to standard error. When every listener is ready, standard output gets one line of JSON with \
            ports, the certificate's hash, and the lab page's address.

            Endpoints, for WebTransport and WebSocket alike: /echo, /sink, /source?bytes=N, /close?code=N&reason=R.
            With --test-endpoints also, for WebTransport: /test/request, /test/response, /test/protocol, /test/export, \
            /test/datagram-lengths, /test/streams, /test/reset, /test/stop, /test/order, /test/transfer, \
            /test/read-then-close, /test/close-connection, /test/drain, /test/record, /test/query, /test/count, and for GET \
            /test/body; the README says what they do.
            SIGTERM or Ctrl-C asks sessions to finish, closes them, and ends.

              apus serve
              apus serve --port 443 --certificate fullchain.pem --key privkey.pem --allow-origin https://example.org
            """
    )

    @Option(help: ArgumentHelp("The address to listen on; :: takes IPv4 as well.", valueName: "address"))
    var host = "::"

    @Option(help: ArgumentHelp("UDP for QUIC and TCP for TLS; 0 picks a free one.", valueName: "port"))
    var port = 4433

    @Option(help: ArgumentHelp("Plain HTTP and ws://, on loopback only; 0 picks a free one.", valueName: "port"))
    var httpPort = 8080

    @Option(help: ArgumentHelp("A certificate chain in PEM; needs --key.", valueName: "file"))
    var certificate: String?

    @Option(help: ArgumentHelp("The certificate's private key in PEM.", valueName: "file"))
    var key: String?

    @Option(
        help: ArgumentHelp(
            "Allow pages of this origin beside those of the server's own host; * allows all. May be repeated.",
            valueName: "origin"
        )
    )
    var allowOrigin: [String] = []

    @Option(help: "Make clients prove their address first: always, never, or when many handshakes are under way.")
    var retry = RetryOption.auto

    @Option(
        help: ArgumentHelp(
            "Event loops, each with a thread and a UDP socket: 1 to 256; the default is one a core.",
            valueName: "n"
        )
    )
    var loops: Int?

    @Option(
        help: ArgumentHelp(
            """
            Sessions of each transport at one time, up to 1000000; further ones are refused. It bounds connections, too: \
            there may be about a thousand more, over UDP and over TCP.
            """,
            valueName: "n"
        )
    )
    var maxSessions = 10_000

    @Option(
        help: ArgumentHelp(
            """
            WebTransport sessions that may share a QUIC connection, 1 to \(TransportOptions.mostSessionsPerConnection), \
            for clients that can; browsers cannot.
            """,
            valueName: "n"
        )
    )
    var sessionsPerConnection = 1

    @Option(help: ArgumentHelp("The largest WebSocket message, 125 to 1073741824 bytes.", valueName: "n"))
    var maxMessageSize = 1 << 20

    @Flag(help: "Compress WebSocket messages for clients that offer it, as browsers do; comparisons suffer from it.")
    var compression = false

    @Option(
        help: ArgumentHelp(
            "Silence after which a QUIC connection ends, from 1ms to 24 hours, such as 500ms, 30s or 2m.",
            valueName: "duration"
        )
    )
    var idleTimeout = DurationOption(amount: .seconds(30))

    @Option(
        help:
            "Whether GET and HEAD may come before the handshake (0-RTT), from clients that have been here before: on or off."
    )
    var earlyData = SwitchOption.on

    @Option(help: "How senders adapt to the path.")
    var congestionControl = TransportOptions.CongestionControl.cubic

    @Option(
        help: ArgumentHelp(
            "Append TLS secrets to this file, for Wireshark. Anyone with it can decrypt.",
            valueName: "file"
        )
    )
    var keylog: String?

    @Option(help: ArgumentHelp("Write one qlog file a QUIC connection into this directory.", valueName: "directory"))
    var qlog: String?

    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel = Logger.Level.info

    @Flag(help: "Add the endpoints under /test, for tests of browsers and other peers.")
    var testEndpoints = false

    func validate() throws {
        for (name, port) in [("--port", self.port), ("--http-port", self.httpPort)] {
            guard (0...65_535).contains(port) else { throw ValidationError("\(name) must be between 0 and 65535.") }
        }
        guard self.port == 0 || self.port != self.httpPort else {
            throw ValidationError("--port and --http-port must differ; 0 picks a free one.")
        }
        guard (self.certificate == nil) == (self.key == nil) else {
            throw ValidationError("--certificate and --key go together.")
        }
        if let loops = self.loops, !(1...256).contains(loops) {
            throw ValidationError("--loops must be between 1 and 256.")
        }
        for origin in self.allowOrigin where !OriginPolicy.isOrigin(origin) {
            throw ValidationError(
                "\(origin.debugDescription) is no origin; write https://host[:port], null, file://, or * for all."
            )
        }
        guard (1...1_000_000).contains(self.maxSessions) else {
            throw ValidationError("--max-sessions must be between 1 and 1000000.")
        }
        guard (1...TransportOptions.mostSessionsPerConnection).contains(self.sessionsPerConnection) else {
            throw ValidationError(
                "--sessions-per-connection must be between 1 and \(TransportOptions.mostSessionsPerConnection)."
            )
        }
        guard (125...(1 << 30)).contains(self.maxMessageSize) else {
            throw ValidationError("--max-message-size must be between 125 and 1073741824.")
        }
    }

    func run() async throws {
        do {
            try await self.serve()
        } catch {
            throw CommandFailure.report(error)
        }
    }

    private static func makeDirectory(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw CommandFailure.report(
                "the directory \(path) for qlog files cannot be made; name one that may be written to",
                EX_CANTCREAT
            )
        }
    }

    private func serve() async throws {
        if let keylog = self.keylog {
            try Self.checkWritable(keylog)
            // GnuTLS writes the log itself, for both transports, to the file that this variable names.
            setenv("SSLKEYLOGFILE", keylog, 1)
        }
        if let qlog = self.qlog {
            try Self.makeDirectory(qlog)
        }
        let logger = self.makeLogger()
        let openFiles = OpenFileLimit.raise()
        if openFiles <= self.maxSessions {
            logger.notice(
                "\(openFiles) files may be open at once, of which each connection over TCP is one: raise the limit (ulimit -n)"
            )
        }
        let (identities, development) = try self.loadIdentity(logger)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: self.loops ?? System.coreCount)
        let server = try await ApusServer.bind(
            configuration: self.makeConfiguration(development),
            identities: identities,
            eventLoopGroup: group,
            logger: logger
        )
        let announcement = try ReadyLine(server)
        let services = ServiceGroup(
            services: [
                AnnouncedServer(server: server) {
                    logger.info("The lab page is at \(server.urls[0])")
                    FileDescriptorOutput.standardOutput(announcement.text)
                }
            ],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: Logger(label: "apus.services") { _ in SwiftLogNoOpLogHandler() }
        )
        try await services.run()
        try await group.shutdownGracefully()
    }

    private func makeLogger() -> Logger {
        let level = self.logLevel
        return Logger(label: "apus") { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
    }

    private func loadIdentity(_ logger: Logger) throws -> (IdentityStore, DevelopmentIdentity?) {
        if let certificate = self.certificate, let key = self.key {
            let identity = try ServerIdentity(certificateFile: certificate, privateKeyFile: key)
            Self.warn(of: identity, certificate, logger)
            return (IdentityStore(identity), nil)
        }
        let development = DevelopmentIdentity(directory: "certs")
        return (IdentityStore(try development.load(logger: logger)), development)
    }

    /// What a person would otherwise learn from a browser that says no more than that it failed.
    private static func warn(of identity: ServerIdentity, _ file: String, _ logger: Logger) {
        let days = (identity.notValidAfter - Int64(Date().timeIntervalSince1970)) / 86_400
        if days < 7 {
            logger.warning("The certificate \(file) expires in \(days) days; renew it, and start the server again.")
        }
        if !identity.isTrustedByFingerprint {
            logger.notice(
                """
                Browsers take the certificate \(file) only when an authority that they trust has signed it, and not by its \
                hash: it is valid for more than \(DevelopmentCertificate.maximumDays) days, or has an RSA key.
                """
            )
        }
    }

    private func makeConfiguration(_ development: DevelopmentIdentity?) -> ApusServer.Configuration {
        var configuration = ApusServer.Configuration()
        // As it stands in a URL, or bare.
        let isBracketed = self.host.hasPrefix("[") && self.host.hasSuffix("]")
        configuration.host = isBracketed ? String(self.host.dropFirst().dropLast()) : self.host
        configuration.port = self.port
        configuration.httpPort = self.httpPort
        configuration.originPolicy = OriginPolicy(allowedOrigins: Set(self.allowOrigin))
        configuration.retry = self.retry.mode
        configuration.maxSessions = self.maxSessions
        configuration.maxMessageSize = self.maxMessageSize
        configuration.compressesWebSockets = self.compression
        configuration.transport.idleTimeout = self.idleTimeout.amount
        configuration.transport.maxSessionsPerConnection = self.sessionsPerConnection
        configuration.transport.congestionControl = self.congestionControl
        configuration.transport.earlyData = self.earlyData == .on
        configuration.transport.qlogDirectory = self.qlog
        configuration.testEndpoints = self.testEndpoints
        configuration.development = development
        configuration.metrics = PrometheusRegistry(descriptions: ApusServer.metricDescriptions)
        return configuration
    }

    private static func checkWritable(_ path: String) throws {
        guard let file = fopen(path, "a") else {
            throw CommandFailure.report(
                "the key log \(path) cannot be written (\(String(cString: strerror(errno)))); name a file that may be written",
                EX_CANTCREAT
            )
        }
        fclose(file)
    }
}

/// Says that the server is ready when signals are already handled: who reads the line may send one at once.
private struct AnnouncedServer: Service {
    let server: ApusServer
    let announce: @Sendable () -> Void

    func run() async throws {
        self.announce()
        try await self.server.run()
    }
}

/// The line on standard output that says that every listener is ready.
private struct ReadyLine {
    let text: String

    init(_ server: ApusServer) throws {
        // By hand, for the order of the members; the parts that need escaping are encoded.
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        let urls = String(decoding: try encoder.encode(server.urls), as: UTF8.self)
        let fingerprint = server.identities.current.fingerprint.hexadecimal
        self.text = """
            {"ready":true,"port":\(server.port),"httpPort":\(server.httpPort),\
            "certificateSHA256":"\(fingerprint)","urls":\(urls)}

            """
    }
}
