import NIOCore
import Synchronization

/// What `apus connect` shows: on standard output what arrives, on standard error what happens.
final class ConnectConsole: Sendable {
    private struct State {
        var lastArrival = ContinuousClock.now
        /// Streams of this end whose peer has not finished.
        var openStreams = 0
    }

    private let state = Mutex(State())

    /// Silence after which no more answers are expected: more than a slow path's round trip, or than a loaded server
    /// works on a burst.
    private static let silence = Duration.seconds(1)
    /// The same while a stream is open on which the server may answer.
    private static let silenceOnOpenStream = Duration.seconds(5)
    /// Answers are waited for no longer than this after the end of input. Many lines take their time to come back; a
    /// server that never stops sending must not keep the command for ever.
    private static let patience = Duration.seconds(30)

    /// Something arrived.
    /// - Parameter way: over what it came.
    func arrived(_ text: String, over way: String) {
        FileDescriptorOutput.standardOutput("[\(way)] \(text)\n")
        self.state.withLock { $0.lastArrival = .now }
    }

    func status(_ text: String) {
        FileDescriptorOutput.standardError("apus: \(text)\n")
    }

    /// Shows the bytes of a stream, line by line, until it ends. What its end is like shows too.
    @concurrent func show(
        _ stream: some AsyncSequence<ByteBuffer, any Error> & Sendable,
        over way: String,
        isOwn: Bool = false
    ) async {
        if isOwn { self.state.withLock { $0.openStreams += 1 } }
        var lines = LineAssembler()
        do {
            for try await bytes in stream {
                for line in lines.received(bytes) { self.arrived(PrintableText.text(line), over: way) }
            }
            if let rest = lines.ended() { self.arrived(PrintableText.text(rest), over: way) }
        } catch {
            if let rest = lines.ended() { self.arrived(PrintableText.text(rest), over: way) }
            self.streamFailed(way, error)
        }
        if isOwn { self.state.withLock { $0.openStreams -= 1 } }
    }

    /// Waits, after the end of input, for what is on its way: until nothing has come for a while, half a minute at
    /// most.
    @concurrent func waitForAnswers() async throws {
        let begin = ContinuousClock.now
        while true {
            let (lastArrival, openStreams) = self.state.withLock { ($0.lastArrival, $0.openStreams) }
            let silence = openStreams == 0 ? Self.silence : Self.silenceOnOpenStream
            let end = min(max(begin, lastArrival) + silence, begin + Self.patience)
            let now = ContinuousClock.now
            if now >= end { return }
            // The end of the last stream is noticed at the next look.
            try await Task.sleep(until: min(end, now + Self.silence / 10), clock: .continuous)
        }
    }
}
