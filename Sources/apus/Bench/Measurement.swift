import ArgumentParser
import Credentials
import Foundation
import HTTPSemantics
import NIOCore
import NIOPosix
import NetworkEmulation
import TransportBenchmark

/// One measurement: of which server, over which network, and where its parts run.
struct Measurement: Sendable {
    /// What is measured.
    enum Subject: Sendable {
        /// `apus serve`, as a second process.
        case ownServer
        case target(BenchmarkTarget)
    }

    var settings: BenchmarkSettings
    var subject: Subject
    /// For a server of its own; nil for the loopback.
    var network: EmulationRequest?
    var processors: ProcessorPlan
    /// Whether what else the machine does is looked at; not by a part of a measurement, which does not know the others.
    var watchesOthers = true

    /// Measures everything, and looks at what else the machine does meanwhile.
    /// - Throws: `BenchmarkError`, `NetworkError`, `CredentialsError`, `CancellationError`; `ExitCode` when another process
    ///   has said why it failed.
    func run(_ progress: StandardErrorProgress) async throws -> BenchmarkRecord {
        let noise = NoiseMeter(server: self.target?.process)
        var record = try await self.measure(progress)
        record.processors = self.processors
        // Where a server runs that this program has not started, it does not know.
        if self.target != nil { record.processors = self.processors.ofClient }
        if self.watchesOthers, self.knowsAll { record.add(noise?.noise()) }
        return record
    }

    private var target: BenchmarkTarget? {
        if case .target(let target) = self.subject { target } else { nil }
    }

    /// Whether what others do can be told from what the server and the client do.
    private var knowsAll: Bool {
        // What the processes of a browser have used is lost with them.
        guard self.settings.browser == nil else { return false }
        guard let target = self.target else { return true }
        return target.process != nil || !BenchmarkTarget.isLoopback(target.webTransportURL)
    }

    private func measure(_ progress: StandardErrorProgress) async throws -> BenchmarkRecord {
        if let network = self.network { return try await self.measure(over: network, progress) }
        if let target = self.target { return try await self.measure(target, progress) }
        progress.update("Starting a server", 0, of: 1)
        return try await ServerProcess.withServer(
            executable: Self.executable(),
            on: self.processors.server
        ) { server in
            guard let url = SessionURL("https://\(server.authority)") else {
                preconditionFailure("an address and a port make a URL: \(server.authority)")
            }
            let target = try BenchmarkTarget(
                url: url,
                credentials: ClientCredentials(verification: .fingerprints([server.fingerprint])),
                fingerprints: [server.fingerprint],
                isOwnServer: true,
                process: server.process
            )
            return try await self.measure(target, progress)
        }
    }

    /// Measures in this process, without a look at what others do.
    func measure(_ target: BenchmarkTarget, _ progress: StandardErrorProgress) async throws -> BenchmarkRecord {
        // A loop of its own: nothing else runs on its thread.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let (result, client): (BenchmarkResult, ClientFacts?)
        do {
            let loop = group.next()
            (result, client) = try await self.measure(target, on: loop, progress)
        } catch {
            // The measurement's own error is the one to tell.
            try? await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
        return BenchmarkRecord(
            result,
            settings: self.settings,
            target: target,
            client: client,
            versions: .current(apus: Apus.configuration.version),
            machine: .current(),
            date: Date()
        )
    }

    /// - Returns: also what the client is, if not this program.
    private func measure(
        _ target: BenchmarkTarget,
        on loop: any EventLoop,
        _ progress: StandardErrorProgress
    ) async throws -> (BenchmarkResult, ClientFacts?) {
        let settings = self.settings
        guard let browser = settings.browser else {
            try await self.processors.keepClient(on: loop)
            return (
                try await Benchmark(settings: settings, target: target, eventLoop: loop).run(progress: progress), nil
            )
        }
        progress.update("Starting \(browser.rawValue)", 0, of: 1)
        return try await BrowserProcess.withPage(in: browser, target: target, eventLoopGroup: loop) { page in
            let benchmark = Benchmark(settings: settings, target: target, browser: page, eventLoop: loop)
            let client = ClientFacts(program: browser.rawValue, version: page.userAgent)
            return (try await benchmark.run(progress: progress), client)
        }
    }

    /// This program. The link is resolved, for the message of an error.
    static func executable() throws -> String {
        try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    }
}
