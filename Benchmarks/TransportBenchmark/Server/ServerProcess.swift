public import Credentials
import Foundation

/// A server of this package's own, in a second process on free ports of the loopback, with a certificate of its own.
public struct ServerProcess: Sendable {
    /// `127.0.0.1:port`: an address, so that no name resolution is measured.
    public let authority: String
    /// Of its certificate.
    public let fingerprint: CertificateFingerprint

    /// Time to make its sockets. A loaded machine needs seconds.
    private static let startTime: CInt = 15_000
    /// Time to close its sessions after SIGTERM, in milliseconds: longer than its own grace period.
    private static let endTime = 5_000

    /// Starts `apus serve`, gives it to `body`, and ends it: however `body` ends, and whether the task is cancelled.
    /// - Parameter executable: the program's path.
    /// - Throws: `BenchmarkError` with `unavailable` when the server does not start or ends before `body`; what `body`
    ///   throws; `CredentialsError` when its certificate cannot be made.
    public static func withServer<Result: Sendable>(
        executable: String,
        _ body: @escaping @Sendable (ServerProcess) async throws -> Result
    ) async throws -> Result {
        let directory = try Self.makeDirectory()
        // A temporary directory that is left behind does no harm.
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try DevelopmentCertificate(hosts: ["localhost", "127.0.0.1", "::1"]).write(to: directory)
        let log = "\(directory)/server.log"
        let child = try ChildProcess.start(
            executable,
            [
                "serve", "--host", "127.0.0.1", "--port", "0", "--http-port", "0",
                "--certificate", "\(directory)/\(DevelopmentCertificate.certificateFileName)",
                "--key", "\(directory)/\(DevelopmentCertificate.privateKeyFileName)",
                "--log-level", "error",
            ],
            log: log
        )
        guard let line = await child.firstLine(within: Self.startTime), let server = ServerProcess(readyLine: line)
        else {
            let end = await child.terminate(within: Self.endTime)
            child.closeOutput()
            let reason = Self.lastWords(log) ?? "start one by hand and name it with --target"
            throw BenchmarkError(.unavailable, "the server did not start (\(end)): \(reason)")
        }
        let outcome = await Self.run(server, child, log: log, body)
        return try outcome.get()
    }

    /// Runs `body` until it or the server ends, then ends the server.
    private static func run<Output: Sendable>(
        _ server: ServerProcess,
        _ child: ChildProcess,
        log: String,
        _ body: @escaping @Sendable (ServerProcess) async throws -> Output
    ) async -> Result<Output, any Error> {
        // Its output ends with it; who waits for that finishes the stream.
        let (ended, source) = AsyncStream<Void>.makeStream()
        return await withTaskGroup(of: Void.self) { watcher in
            watcher.addTask {
                await child.outputEnded()
                source.finish()
            }
            let outcome: Result<Output, any Error>
            var hasEnded = false
            do {
                outcome = .success(
                    try await withThrowingTaskGroup(of: Output?.self) { group in
                        group.addTask { try await body(server) }
                        group.addTask {
                            for await _ in ended {}
                            return nil
                        }
                        defer { group.cancelAll() }
                        if case .some(.some(let output)) = try await group.next() { return output }
                        try Task.checkCancellation()
                        hasEnded = true
                        throw BenchmarkError(.unavailable, "the server ended")
                    }
                )
            } catch {
                outcome = .failure(error)
            }
            let end = await child.terminate(within: Self.endTime)
            await watcher.waitForAll()
            child.closeOutput()
            guard hasEnded else { return outcome }
            let reason =
                Self.lastWords(log) ?? "it logged nothing; start one by hand to watch it, and name it with --target"
            return .failure(BenchmarkError(.unavailable, "the server ended while it was measured (\(end)): \(reason)"))
        }
    }

    /// Reads the line by which the server says that it is ready; nil when it is something else.
    init?(readyLine line: String) {
        struct Content: Decodable {
            var ready: Bool
            var port: Int
            var certificateSHA256: String
        }
        guard
            let content = try? JSONDecoder().decode(Content.self, from: Data(line.utf8)), content.ready,
            let fingerprint = CertificateFingerprint(hexadecimal: content.certificateSHA256)
        else { return nil }
        self.authority = "127.0.0.1:\(content.port)"
        self.fingerprint = fingerprint
    }

    /// A directory that only this user can read: it holds a private key.
    private static func makeDirectory() throws(BenchmarkError) -> String {
        let parent = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        var template = Array("\(parent)/apus-bench-XXXXXX".utf8CString)
        let made = mkdtemp(&template).map { String(cString: $0) }
        guard let made else {
            throw BenchmarkError(
                .cannotCreate,
                "no temporary directory can be made in \(parent); set TMPDIR to one that is writable"
            )
        }
        return made
    }

    /// The last line that the server logged; nil when it has logged nothing.
    private static func lastWords(_ log: String) -> String? {
        let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").last.map(String.init)
    }
}
