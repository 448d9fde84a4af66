import Foundation
import WebSocket

/// A page that measures, in a browser that this program has started.
public struct BrowserControl: Sendable {
    /// The browser's.
    public let process: Int32
    /// What the browser calls itself.
    public let userAgent: String

    private let session: WebSocketSession
    private let answers: AsyncStream<String>

    /// - Parameters:
    ///   - session: on which the page has said nothing yet.
    ///   - answers: its text messages.
    /// - Throws: `BenchmarkError` with `unavailable` when the page does not say what it is.
    init(_ session: WebSocketSession, answers: AsyncStream<String>, process: Int32) async throws {
        (self.session, self.answers, self.process) = (session, answers, process)
        guard let text = await answers.first(where: { _ in true }),
            let hello = try? JSONDecoder().decode(BrowserHello.self, from: Data(text.utf8))
        else {
            throw BenchmarkError(.unavailable, "the page in the browser is not the one that measures")
        }
        self.userAgent = hello.hello.userAgent
    }

    /// Has the page measure something, and waits for what comes of it. One command is under way at a time, and none after
    /// one that was cancelled: the browser ends with the measurement.
    /// - Throws: `BenchmarkError`; `CancellationError`.
    func measure<Result: Decodable & Sendable>(_ command: BrowserCommand, as _: Result.Type) async throws -> Result {
        try Task.checkCancellation()
        try await self.send(command)
        guard let text = await self.answers.first(where: { _ in true }) else {
            try Task.checkCancellation()
            throw Self.ended
        }
        let answer: BrowserAnswer<Result>
        do {
            answer = try JSONDecoder().decode(BrowserAnswer<Result>.self, from: Data(text.utf8))
        } catch {
            throw BenchmarkError(.unavailable, "the page in the browser answered what cannot be read: \(error)")
        }
        if let failure = answer.error { throw failure.error }
        guard let result = answer.result, answer.id == command.id else {
            throw BenchmarkError(.unavailable, "the page in the browser answered something else than was asked")
        }
        return result
    }

    private func send(_ command: BrowserCommand) async throws {
        let text = String(decoding: try JSONEncoder().encode(command), as: UTF8.self)
        do {
            try await self.session.send(text: text)
        } catch {
            throw Self.ended
        }
    }

    static let ended = BenchmarkError(
        .unavailable,
        "the browser ended, or its page, while it measured; there may be too little memory"
    )
}
