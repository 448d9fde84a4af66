import Synchronization

/// What sessions have seen, by the token that a page gave them, so that another session can ask.
final class TokenStore: Sendable {
    /// What was seen under one token.
    struct Record: Encodable, Sendable {
        struct Stream: Encodable, Sendable {
            enum Kind: String, Encodable { case bidirectional, unidirectional }
            enum End: String, Encodable {
                /// The client ended it.
                case finished
                /// The client gave up sending.
                case reset
                /// The client gave up receiving.
                case stopped
                /// It ended with its session.
                case gone
            }
            var kind: Kind
            var end: End
            /// The application's, with a reset or a stop.
            var code: UInt32?
            /// That the server received.
            var bytes = 0
        }
        struct SessionEnd: Encodable, Sendable {
            var isAbnormal: Bool
            var code: UInt32?
            var reason: String
        }
        var sessions = 0
        /// The client's streams that the server has received something of.
        var opened = 0
        /// Those that have ended.
        var streams: [Stream] = []
        /// That of the last session which ended.
        var end: SessionEnd?
    }

    private struct State {
        var records: [String: Record] = [:]
        var order: [String] = []
        var watchers: [Int: (token: String, continuation: AsyncStream<Record>.Continuation)] = [:]
        var nextWatcher = 0
    }

    /// Enough for every test of a long run that is still under way.
    private static let maxTokens = 1024
    /// A test looks at a few.
    private static let maxStreams = 256

    private let state = Mutex(State())

    /// The oldest token gives way when there are too many.
    func update(_ token: String, _ change: (inout Record) -> Void) {
        let (record, watchers) = self.state.withLock { state in
            if state.records[token] == nil {
                if state.order.count == Self.maxTokens { state.records[state.order.removeFirst()] = nil }
                state.order.append(token)
            }
            var record = state.records[token] ?? Record()
            change(&record)
            state.records[token] = record
            return (record, state.watchers.values.filter { $0.token == token }.map(\.continuation))
        }
        for watcher in watchers { watcher.yield(record) }
    }

    func add(_ stream: Record.Stream, to token: String) {
        self.update(token) { if $0.streams.count < Self.maxStreams { $0.streams.append(stream) } }
    }

    /// The record as it is now, and as it changes; the latest replaces those that nobody has looked at.
    func records(of token: String) -> AsyncStream<Record> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let watcher = self.state.withLock { state in
                state.nextWatcher += 1
                state.watchers[state.nextWatcher] = (token, continuation)
                // Under the lock: what changes next comes after it.
                continuation.yield(state.records[token] ?? Record())
                return state.nextWatcher
            }
            continuation.onTermination = { _ in self.state.withLock { $0.watchers[watcher] = nil } }
        }
    }
}
