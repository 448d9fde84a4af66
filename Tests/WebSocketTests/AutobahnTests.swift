import Glibc
import NIOCore
import Testing

@testable import WebSocket

/// Our client as Autobahn|Testsuite's testee. `scripts/conformance` starts the suite's server, names it in the
/// environment, and judges its report.
@Suite("Autobahn|Testsuite [68]")
struct AutobahnTests {
    private static let server = getenv("APUS_AUTOBAHN_SERVER").map { String(cString: $0) }

    @Test("Every case is run to its end", .enabled(if: server != nil))
    func client() async throws {
        var configuration = WebSocketClientConfiguration()
        // Cases 9.* send messages up to this size, and take their time.
        configuration.maxMessageSize = 16 << 20
        configuration.connectTimeout = .seconds(60)
        configuration.closeTimeout = .seconds(60)
        var compression = WebSocketCompression()
        // The suite sends with any window.
        compression.receiveWindowBits = 15
        configuration.compression = compression
        func run<Result: Sendable>(
            _ path: String,
            _ body: @concurrent @Sendable (WebSocketSession) async throws -> Result
        ) async throws -> Result {
            try await WebSocketClient.connect(
                to: "\(try #require(Self.server))\(path)",
                configuration: configuration,
                eventLoopGroup: TestServer.group,
                body
            )
        }
        let count = try await run("/getCaseCount") { session in
            var messages = session.messages.makeAsyncIterator()
            guard case .text(let text) = await messages.next() else { return 0 }
            return Int(text) ?? 0
        }
        try #require(count > 0)
        for number in 1...count {
            // How a case ends is the suite's to judge.
            try? await run("/runCase?case=\(number)&agent=apus", TestServer.echo)
        }
        try await run("/updateReports?agent=apus") { session in _ = await session.closed }
    }
}
