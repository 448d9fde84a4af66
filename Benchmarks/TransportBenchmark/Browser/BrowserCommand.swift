import Foundation

/// What a page in a browser is asked to measure, and what it answers: JSON over a WebSocket, as the lab's
/// `measure-commands.js` has it.
struct BrowserCommand: Encodable, Sendable {
    var id: Int
    var command: String
    var target: Target?
    /// Of `begin`.
    var kind: String?
    /// Of the others.
    var transport: TransportKind?
    var size: Int?
    var sessions: Int?
    /// Of round trips, for each session; and milliseconds after which a datagram is lost.
    var warmUp: Int?
    var messages: Int?
    var timeout: Int64?
    /// Of messages that have their times.
    var load: PacedLoad?
    var patience: Int64?

    struct Target: Encodable, Sendable {
        var webtransport: String
        var websocket: String
        /// Of certificates that WebTransport may accept.
        var hashes: [String]
    }
}

/// What the page says first.
struct BrowserHello: Decodable, Sendable {
    struct Facts: Decodable, Sendable {
        var userAgent: String
    }

    var hello: Facts
}

/// What it answers.
struct BrowserAnswer<Result: Decodable & Sendable>: Decodable, Sendable {
    struct Failure: Decodable, Sendable {
        var kind: String
        var message: String

        /// What it is to the user.
        var error: any Error {
            switch self.kind {
            case "cancelled": CancellationError()
            case "mismatch": BenchmarkError(.protocolViolation, "in the browser: \(self.message)")
            case "tooLarge", "unsupported": BenchmarkError(.usage, "in the browser: \(self.message)")
            default: BenchmarkError(.unavailable, "in the browser: \(self.message)")
            }
        }
    }

    var id: Int?
    var result: Result?
    var error: Failure?
}

/// Times of a session's beginning, in nanoseconds.
struct BrowserTimes: Decodable, Sendable {
    var session: Double
    var firstEcho: Double
}

struct BrowserSessions<Session: Decodable & Sendable>: Decodable, Sendable {
    var sessions: [Session]
}

/// Round trips of one session, in nanoseconds.
struct BrowserRoundTrips: Decodable, Sendable {
    var nanoseconds: [Double]
    var lost: Int
}

/// Messages of one session, in nanoseconds.
struct BrowserOutcome: Decodable, Sendable {
    var ages: [Double?]
    var lateness: [Double]
}
