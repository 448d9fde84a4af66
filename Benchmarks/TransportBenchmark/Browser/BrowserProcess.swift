import ApusServer
import HTTPSemantics
import HTTPTypes
import Logging
public import NIOCore
import WebSocket

/// A browser on a page that measures, for the time of a measurement.
public enum BrowserProcess {
    /// A browser of an idle machine takes a second or two; a busy one takes ten times as long.
    private static let startTime = TimeAmount.seconds(90)
    /// Time to end after SIGTERM, in milliseconds.
    private static let endTime = 10_000
    private static let log = "browser.log"
    /// A million numbers, as JSON has them.
    private static let longestAnswer = 32 << 20

    /// Starts a browser, gives its page to `body`, and ends it: however `body` ends, and whether the task is cancelled.
    /// - Parameters:
    ///   - target: whose certificate the browser accepts.
    ///   - eventLoopGroup: where the page and what it says are served, on the loopback of this process.
    /// - Throws: `BenchmarkError` with `unavailable` when the browser is not installed, does not start, or ends early;
    ///   what `body` throws.
    public static func withPage<Result: Sendable>(
        in browser: Browser,
        target: BenchmarkTarget,
        eventLoopGroup: any EventLoopGroup,
        _ body: @escaping @Sendable (BrowserControl) async throws -> Result
    ) async throws -> Result {
        // Browsers make sockets there, whose paths have 107 bytes at most (unix(7)).
        let directory = try TemporaryDirectory(in: "/tmp")
        defer { directory.remove() }
        let profile = try BrowserProfile(
            of: browser,
            in: directory.path,
            host: target.host,
            authority: target.authority,
            certificates: target.fingerprints
        )
        // Nobody else on this machine knows it.
        let path = "/\(String(UInt64.random(in: .min ... .max), radix: 16))"
        let server = try await Self.bind(eventLoopGroup, path)
        let port = server.localAddresses[0].port ?? 0
        let (sessions, arrivals) = AsyncStream<(WebSocketSession, AsyncStream<String>)>.makeStream()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run { await Self.serve($0, arrivals) } }
            defer { server.beginGracefulShutdown() }
            let child = try await ChildProcess.start(
                profile.command[0],
                profile.command.dropFirst() + [
                    "http://127.0.0.1:\(port)/lab/measure.html#control=ws://127.0.0.1:\(port)\(path)"
                ],
                errors: .log("\(directory.path)/\(Self.log)")
            )
            let supervision = await child.supervise {
                await child.terminate(within: Self.endTime)
            } _: {
                let page = try await Self.first(of: sessions, on: eventLoopGroup.next())
                return try await body(BrowserControl(page.0, answers: page.1, process: child.id))
            }
            guard let outcome = supervision.outcome else {
                let reason = directory.lastLine(of: Self.log) ?? "it logged nothing"
                throw BenchmarkError(.unavailable, "\(browser.rawValue) ended early (\(supervision.end)): \(reason)")
            }
            return try outcome.get()
        }
    }

    /// The page, and the socket on which it is told what to do, on a free port of the loopback.
    private static func bind(_ eventLoopGroup: any EventLoopGroup, _ path: String) async throws -> WebSocketServer {
        let page = try LabPage()
        var configuration = WebSocketServerConfiguration(
            listeners: [.init(host: "127.0.0.1", port: 0)],
            resources: { page.response(for: $0.path ?? "/") ?? .text(.notFound, "not found\n") },
            admission: { $0.path == path ? .accept() : .refuse(.notFound, reason: "no such session") }
        )
        configuration.maxMessageSize = Self.longestAnswer
        configuration.gracePeriod = .milliseconds(100)
        return try await WebSocketServer.bind(
            configuration: configuration,
            eventLoopGroup: eventLoopGroup,
            logger: Logger(label: "apus.bench") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    private static func serve(
        _ session: WebSocketSession,
        _ arrivals: AsyncStream<(WebSocketSession, AsyncStream<String>)>.Continuation
    ) async {
        // One command is under way at a time, and so is one answer.
        let (answers, source) = AsyncStream<String>.makeStream(bufferingPolicy: .bufferingNewest(2))
        arrivals.yield((session, answers))
        for await case .text(let text) in session.messages { source.yield(text) }
        source.finish()
    }

    private static func first<Element: Sendable>(
        of stream: AsyncStream<Element>,
        on eventLoop: any EventLoop
    ) async throws -> Element {
        try await withThrowingTaskGroup(of: Element?.self) { group in
            group.addTask { await stream.first { _ in true } }
            group.addTask {
                try await eventLoop.sleep(until: .now() + Self.startTime)
                return nil
            }
            defer { group.cancelAll() }
            guard let element = try await group.next() ?? nil else {
                try Task.checkCancellation()
                throw BenchmarkError(.unavailable, "the browser has not opened the page that measures")
            }
            return element
        }
    }
}
