public import Credentials
import Foundation
public import NetworkEmulation

/// A server of this package's own, in a second process on free ports, with a certificate of its own.
public struct ServerProcess: Sendable {
    /// `address:port`: an address, so that no name resolution is measured.
    public let authority: String
    /// Of its certificate.
    public let fingerprint: CertificateFingerprint
    public let process: Int32

    /// Time to make its sockets. A loaded machine needs seconds.
    private static let startTime: CInt = 15_000
    /// Time to close its sessions after SIGTERM, in milliseconds: longer than its own grace period.
    private static let endTime = 5_000
    private static let log = "server.log"

    /// Starts `apus serve`, gives it to `body`, and ends it: however `body` ends, and whether the task is cancelled.
    /// - Parameters:
    ///   - executable: the program's path.
    ///   - namespace: where it runs, and which of its addresses it has there; nil for the loopback of this process.
    ///   - processors: those it keeps to, with a loop for each; none for any, and for as many loops as there are.
    /// - Throws: `BenchmarkError` with `unavailable` when the server does not start or ends before `body`; what `body`
    ///   throws; `CredentialsError` when its certificate cannot be made.
    public static func withServer<Result: Sendable>(
        executable: String,
        in namespace: (NetworkNamespace, address: String)? = nil,
        on processors: [Int32],
        _ body: @escaping @Sendable (ServerProcess) async throws -> Result
    ) async throws -> Result {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let host = namespace?.address ?? "127.0.0.1"
        try DevelopmentCertificate(hosts: ["localhost", "::1", host]).write(to: directory.path)
        let child = try await ChildProcess.start(
            executable,
            [
                "serve", "--host", host, "--port", "0", "--http-port", "0",
                "--certificate", "\(directory.path)/\(DevelopmentCertificate.certificateFileName)",
                "--key", "\(directory.path)/\(DevelopmentCertificate.privateKeyFileName)",
                // A page that measures comes from the client's loopback.
                "--allow-origin", "*", "--log-level", "error",
            ] + (processors.isEmpty ? [] : ["--loops", "\(processors.count)"]),
            errors: .log("\(directory.path)/\(Self.log)"),
            in: namespace?.0,
            on: processors
        )
        guard
            let line = await child.nextLine(within: Self.startTime),
            let server = ServerProcess(readyLine: line, host: host, process: child.id)
        else {
            let end = await child.terminate(within: Self.endTime)
            child.closeOutput()
            let reason = directory.lastLine(of: Self.log) ?? "start one by hand and name it with --target"
            throw BenchmarkError(.unavailable, "the server did not start (\(end)): \(reason)")
        }
        let supervision = await child.supervise {
            await child.terminate(within: Self.endTime)
        } _: {
            try await body(server)
        }
        guard let outcome = supervision.outcome else {
            let reason =
                directory.lastLine(of: Self.log)
                ?? "it logged nothing; start one by hand to watch it, and name it with --target"
            throw BenchmarkError(
                .unavailable,
                "the server ended while it was measured (\(supervision.end)): \(reason)"
            )
        }
        return try outcome.get()
    }

    /// Reads the line by which the server says that it is ready; nil when it is something else.
    init?(readyLine line: String, host: String, process: Int32) {
        struct Content: Decodable {
            var ready: Bool
            var port: Int
            var certificateSHA256: String
        }
        guard
            let content = try? JSONDecoder().decode(Content.self, from: Data(line.utf8)), content.ready,
            let fingerprint = CertificateFingerprint(hexadecimal: content.certificateSHA256)
        else { return nil }
        self.authority = "\(host):\(content.port)"
        self.fingerprint = fingerprint
        self.process = process
    }
}
