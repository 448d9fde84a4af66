import ApusServer
import ArgumentParser
import Credentials
import Foundation
import HTTPSemantics
import HTTPTypes
import Logging
import NIOCore
import NIOPosix
import WebTransport

/// `apus interop run`
struct InteropRunnerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "An endpoint of quic-interop-runner's WebTransport cases.",
        discussion: """
            The runner says what to do in environment variables: ROLE (client or server), TESTCASE, PROTOCOLS and \
            REQUESTS, and SSLKEYLOGFILE and QLOGDIR for logs. The protocol that was agreed on goes to \
            negotiated_protocol.txt among the downloads. A test case that is not known ends with code 127; a client \
            ends with 0 when it has all files.

              ROLE=server TESTCASE=transfer apus interop
              ROLE=client TESTCASE=transfer-datagram-receive REQUESTS=https://server/a/1.txt apus interop
            """
    )

    @Option(help: ArgumentHelp("The files to give away, in a directory for each endpoint.", valueName: "directory"))
    var www = "/www"

    @Option(help: ArgumentHelp("Where files go, in a directory for each endpoint.", valueName: "directory"))
    var downloads = "/downloads"

    @Option(
        help: ArgumentHelp("Holds cert.pem and priv.key; a client trusts this certificate.", valueName: "directory")
    )
    var certs = "/certs"

    @Option(help: ArgumentHelp("The address of a server.", valueName: "address"))
    var host = "::"

    @Option(help: ArgumentHelp("The UDP port of a server; 0 picks a free one.", valueName: "port"))
    var port = 443

    @OptionGroup var trust: TrustOptions

    /// What the runner's variables ask for.
    private struct Assignment {
        enum Role: String { case client, server }
        var role: Role
        /// Nothing but a session and its protocol is asked for.
        var isHandshake: Bool
        /// How this end asks for files; nil when it only gives.
        var way: InteropExchange.Way?
        var protocols: [String]
        var requests: [String]

        /// Nil when it is nothing that this command can do.
        init?(_ environment: [String: String]) {
            guard let role = Role(rawValue: environment["ROLE"] ?? "") else { return nil }
            self.role = role
            func words(_ name: String) -> [String] { (environment[name] ?? "").split(separator: " ").map(String.init) }
            self.protocols = words("PROTOCOLS")
            self.requests = words("REQUESTS")
            self.isHandshake = environment["TESTCASE"] == "handshake"
            switch environment["TESTCASE"] ?? "" {
            case "handshake", "transfer": self.way = nil
            case let name:
                let parts = name.split(separator: "-")
                guard parts.count == 3, parts[0] == "transfer", ["receive", "send"].contains(parts[2]) else {
                    return nil
                }
                guard let way = InteropExchange.Way(rawValue: String(parts[1])) else { return nil }
                self.way = way
            }
        }
    }

    /// What the runner takes for "not supported".
    private static let silence = Logger(label: "apus.interop") { _ in SwiftLogNoOpLogHandler() }

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        guard let task = Assignment(environment) else {
            // The runner's code for what an implementation does not support.
            throw CommandFailure.report(
                "ROLE or TESTCASE names nothing that this command can do; see `apus help interop run`",
                127
            )
        }
        do {
            try FileManager.default.createDirectory(atPath: self.downloads, withIntermediateDirectories: true)
            var transport = TransportOptions()
            if let directory = environment["QLOGDIR"], !directory.isEmpty {
                try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
                transport.qlogDirectory = directory
            }
            switch task.role {
            case .server: try await self.serve(task, transport)
            case .client: try await self.connect(task, transport)
            }
        } catch let error as WebTransportError {
            throw CommandFailure.report(error.message, EX_UNAVAILABLE)
        } catch {
            throw CommandFailure.report(error)
        }
    }

    private func identity() throws -> ServerIdentity {
        try ServerIdentity(certificateFile: self.certs + "/cert.pem", privateKeyFile: self.certs + "/priv.key")
    }

    private func note(protocol name: String?) throws {
        try Data((name ?? "").utf8).write(to: URL(fileURLWithPath: self.downloads + "/negotiated_protocol.txt"))
    }

    /// The files of an endpoint among paths such as `endpoint/file`.
    private static func files(of endpoint: String, in paths: [String]) -> [String] {
        paths.compactMap { path in
            let parts = path.split(separator: "/", maxSplits: 1)
            return parts.count == 2 && parts[0] == endpoint ? String(parts[1]) : nil
        }
    }

    // MARK: Server

    private func serve(_ task: Assignment, _ transport: TransportOptions) async throws {
        var configuration = WebTransportServer.Configuration(
            host: self.host,
            port: self.port,
            identities: IdentityStore(try self.identity())
        )
        configuration.transport = transport
        // The sessions of a case come on one connection.
        configuration.transport.maxSessionsPerConnection = TransportOptions.mostSessionsPerConnection
        // Sessions read and write files.
        configuration.handlerExecution = .concurrent
        // The runner's browsers have pages from files, whose origin is opaque.
        configuration.originPolicy = OriginPolicy(allowedOrigins: ["*"])
        let protocols = Set(task.protocols)
        configuration.admission = { request in
            guard InteropExchange.endpoint(of: request.path ?? "/") != nil else {
                return .refuse(.notFound, reason: "the path names no endpoint")
            }
            return .accept(subprotocol: request.availableWebTransportProtocols.first { protocols.contains($0) })
        }
        let server = try await WebTransportServer.bind(
            configuration: configuration,
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: Self.silence
        )
        FileDescriptorOutput.standardOutput("{\"ready\":true,\"port\":\(server.localAddress.port ?? 0)}\n")
        do {
            try await Interruption().cancelling {
                try await server.run { session in
                    guard let endpoint = InteropExchange.endpoint(of: session.request.path ?? "/") else { return }
                    try self.note(protocol: session.subprotocol)
                    let exchange = self.exchange(session, endpoint, Self.files(of: endpoint, in: task.requests))
                    _ = try await exchange.run(asking: task.way)
                }
            }
        } catch is Interrupted {
            // The runner ends a server that way when the client is done.
        }
    }

    private func exchange(_ session: WebTransportSession, _ endpoint: String, _ files: [String]) -> InteropExchange {
        InteropExchange(
            session: session,
            www: self.www,
            downloads: self.downloads,
            endpoint: endpoint,
            requests: files
        )
    }

    // MARK: Client

    private func connect(_ task: Assignment, _ transport: TransportOptions) async throws {
        let isTrustGiven = self.trust.insecure || !self.trust.hash.isEmpty
        var configuration = WebTransportClient.Configuration(
            credentials: try isTrustGiven
                ? self.trust.credentials()
                : ClientCredentials(verification: .fingerprints([try self.identity().fingerprint]))
        )
        configuration.transport = transport
        let settings = configuration
        guard !task.requests.isEmpty else {
            throw CommandFailure.report("REQUESTS is empty: a client must know where to connect", EX_USAGE)
        }
        // Each endpoint has a connection of its own: our client has one session on each.
        let missing = try await withThrowingTaskGroup(of: [String].self) { group in
            for (url, files) in try Self.sessions(task.requests) {
                group.addTask { try await self.exchange(url, files, task, settings) }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        guard missing.isEmpty else {
            let names = missing.joined(separator: ", ")
            throw CommandFailure.report("the session ended, and these files are missing: \(names)", EX_PROTOCOL)
        }
    }

    @concurrent private func exchange(
        _ url: String,
        _ files: [String],
        _ task: Assignment,
        _ configuration: WebTransportClient.Configuration
    ) async throws -> [String] {
        try await WebTransportClient.withSession(
            to: url,
            configuration: configuration,
            subprotocols: task.protocols,
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: Self.silence
        ) { session in
            try self.note(protocol: session.subprotocol)
            if task.isHandshake { return [] }
            let endpoint = InteropExchange.endpoint(of: session.request.path ?? "/") ?? ""
            return try await self.exchange(session, endpoint, task.way == nil ? [] : files).run(asking: task.way)
        }
    }

    /// The sessions that URLs such as `https://host/endpoint/file` ask for, each with its files.
    private static func sessions(_ requests: [String]) throws -> [(url: String, files: [String])] {
        var sessions: [(url: String, files: [String])] = []
        for request in requests {
            guard let url = SessionURL(request), url.scheme == "https",
                let name = InteropExchange.endpoint(of: url.path)
            else {
                throw CommandFailure.report("\(request.debugDescription) in REQUESTS names no endpoint", EX_USAGE)
            }
            let session = "https://\(url.authority)/\(name)"
            let file = url.path.dropFirst(name.utf8.count + 2)
            if !sessions.contains(where: { $0.url == session }) { sessions.append((session, [])) }
            if let index = sessions.firstIndex(where: { $0.url == session }), !file.isEmpty {
                sessions[index].files.append(String(file))
            }
        }
        return sessions
    }
}
