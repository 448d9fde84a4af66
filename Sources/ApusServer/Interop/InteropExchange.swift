import NIOConcurrencyHelpers
import NIOCore
public import WebTransport

/// One session of quic-interop-runner's WebTransport cases: gives away files that the peer asks for, and asks for some.
///
/// `GET name` on a unidirectional stream is answered with `PUSH name`, a line feed and the file on another one, on a
/// bidirectional stream with the file on the same one, and in a datagram with all of `PUSH` in a datagram.
///
/// It reads and writes files where it runs: not on an event loop.
public struct InteropExchange: Sendable {
    /// How files are asked for.
    public enum Way: String, Sendable, CaseIterable {
        case unidirectional
        case bidirectional
        case datagram
    }

    /// A name and the words around it.
    private static let maxRequestSize = 1024
    /// Requests in datagrams that wait for their files, and when they are made again: datagrams may be lost.
    private static let datagramWindow = 32
    private static let repetition = Duration.milliseconds(100)

    private let session: WebTransportSession
    private let files: InteropFiles
    private let state: State
    private let patience: Duration
    /// Streams of a session that are served at once: each may hold a file. The others wait unread, and keep their places
    /// among those that the peer may have open.
    private let turnstile = Turnstile(places: 8)

    /// Behind locks that ThreadSanitizer sees, which a `Mutex` is not.
    private final class State: Sendable {
        /// The names of files that have not come.
        let missing: NIOLockedValueBox<Set<String>>
        /// Bytes of files that have not come to their end, on all streams.
        let collected = NIOLockedValueBox(0)

        init(missing: Set<String>) { self.missing = NIOLockedValueBox(missing) }
    }

    /// A peer's words that are none of the protocol, or a file that cannot be had.
    private struct Failure: Error {}

    /// - Parameters:
    ///   - www: the directory whose subdirectories hold the files to give away.
    ///   - downloads: the directory in whose subdirectories files are put.
    ///   - endpoint: the subdirectory: the first part of the session's path.
    ///   - requests: the names of the files to ask for.
    ///   - patience: how long to wait while nothing comes: who does not have a file may not say so.
    public init(
        session: WebTransportSession,
        www: String,
        downloads: String,
        endpoint: String,
        requests: [String],
        patience: Duration = .seconds(10)
    ) {
        self.session = session
        self.files = InteropFiles(www: www, downloads: downloads, endpoint: endpoint)
        self.state = State(missing: Set(requests))
        self.patience = patience
    }

    /// The endpoint that a session's path names, if it is a name that may be used.
    public static func endpoint(of path: String) -> String? {
        let name = String(Query.split(path).path.drop { $0 == "/" }.prefix { $0 != "/" })
        return InteropFiles.isSafe(name) ? name : nil
    }

    /// Asks, and gives, until all files are there, and then closes the session; without requests, until the peer does.
    /// - Returns: the names of files that did not come.
    @concurrent public func run(asking way: Way?) async throws -> [String] {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.serveDatagrams() }
            group.addTask { await self.serveUnidirectionalStreams() }
            group.addTask {
                await self.session.serveBidirectionalStreams { stream in
                    try await self.turnstile.pass {
                        let request = try await self.collect(stream.inbound, Self.maxRequestSize)
                        guard let content = self.files.read(try Self.name(inRequest: request)) else { throw Failure() }
                        try await stream.outbound.write(content)
                        stream.outbound.finish()
                    }
                }
            }
            if let way {
                do {
                    try await self.ask(over: way)
                } catch {
                    // The files stay missing, which is what is told.
                    self.session.close()
                }
            }
            _ = try? await self.session.closed
        }
        return self.state.missing.withLockedValue { $0.sorted() }
    }

    // MARK: Asking

    private func ask(over way: Way) async throws {
        let names = self.state.missing.withLockedValue { $0.sorted() }
        guard !names.isEmpty else { return }
        switch way {
        case .unidirectional:
            for name in names {
                let stream = try await self.session.openUnidirectionalStream()
                try await stream.write(ByteBuffer(string: "GET \(name)"))
                stream.finish()
            }
            try await self.awaitFiles()
        case .bidirectional:
            await withDiscardingTaskGroup { group in
                // A file that the peer does not have stays missing.
                for name in names { group.addTask { try? await self.fetch(name) } }
            }
            // Every stream has told its end: there is nothing to wait for.
            self.session.close()
        case .datagram:
            try await self.awaitFiles { missing in
                for name in missing.prefix(Self.datagramWindow) {
                    let outcome = try await self.session.datagrams.send(ByteBuffer(string: "GET \(name)"))
                    if outcome == .unavailable { return self.session.close() }
                }
            }
        }
    }

    /// Waits until every file is there, or nothing has come for too long.
    private func awaitFiles(
        askingAgain ask: (_ missing: [String]) async throws -> Void = { _ in }
    ) async throws {
        var (progress, lastCame) = ((files: Int.max, bytes: 0), ContinuousClock.now)
        while true {
            let missing = self.state.missing.withLockedValue { $0.sorted() }
            if missing.isEmpty { return }
            let current = (files: missing.count, bytes: self.state.collected.withLockedValue(\.self))
            if current != progress { (progress, lastCame) = (current, .now) }
            guard ContinuousClock.now - lastCame < self.patience else { return self.session.close() }
            try await ask(missing)
            try await Task.sleep(for: Self.repetition)
        }
    }

    private func fetch(_ name: String) async throws {
        let stream = try await self.session.openBidirectionalStream()
        try await stream.outbound.write(ByteBuffer(string: "GET \(name)"))
        stream.outbound.finish()
        try self.save(try await self.collect(stream.inbound), name)
    }

    /// Whoever asked ends the session when everything is there.
    private func save(_ content: ByteBuffer, _ name: String) throws {
        guard self.state.missing.withLockedValue({ $0.contains(name) }) else { return }
        try self.files.write(content, to: name)
        let isLast = self.state.missing.withLockedValue { names in
            names.remove(name)
            return names.isEmpty
        }
        if isLast { self.session.close() }
    }

    // MARK: Giving

    private func serveUnidirectionalStreams() async {
        await self.session.serveUnidirectionalStreams { stream in
            try await self.turnstile.pass {
                var bytes = try await self.collect(stream)
                if let name = try Self.takePush(&bytes) {
                    try self.save(bytes, name)
                    return
                }
                let name = try Self.name(inRequest: bytes)
                guard self.files.contains(name) else { return }
                // The peer may allow no stream for the answer: until then there is no use for the file's content.
                let reply = try await self.session.openUnidirectionalStream()
                guard let content = self.files.read(name) else { return reply.reset() }
                try await reply.write(ByteBuffer(string: "PUSH \(name)\n"))
                try await reply.write(content)
                reply.finish()
            }
        }
    }

    private func serveDatagrams() async {
        for await datagram in self.session.datagrams {
            var bytes = datagram
            // A datagram that is none of the protocol is dropped, and one that is lost is asked for again.
            do {
                if let name = try Self.takePush(&bytes) {
                    try self.save(bytes, name)
                } else {
                    let name = try Self.name(inRequest: bytes)
                    guard let content = self.files.read(name) else { continue }
                    var push = ByteBuffer(string: "PUSH \(name)\n")
                    push.writeImmutableBuffer(content)
                    try await self.session.datagrams.send(push)
                }
            } catch {
                continue
            }
        }
    }

    /// - Throws: `Failure` when this is too much, or all streams together bring more than one may.
    private func collect(
        _ stream: WebTransportReceiveStream,
        _ limit: Int = InteropFiles.maxSize
    ) async throws -> ByteBuffer {
        var all = ByteBuffer()
        defer { self.state.collected.withLockedValue { $0 -= all.readableBytes } }
        for try await chunk in stream {
            all.writeImmutableBuffer(chunk)
            let together = self.state.collected.withLockedValue { sum in
                sum += chunk.readableBytes
                return sum
            }
            guard all.readableBytes <= limit, together <= InteropFiles.maxSize else { throw Failure() }
        }
        return all
    }

    // MARK: Words

    static func name(inRequest bytes: ByteBuffer) throws -> String {
        let text = String(buffer: bytes)
        guard text.hasPrefix("GET "), bytes.readableBytes <= Self.maxRequestSize else { throw Failure() }
        let name = text.dropFirst(4).trimmingSuffix { $0.isNewline }
        guard InteropFiles.isSafe(name) else { throw Failure() }
        return name
    }

    /// Takes `PUSH name` and the line feed off; nil when it is something else.
    static func takePush(_ bytes: inout ByteBuffer) throws -> String? {
        guard bytes.readableBytesView.starts(with: "PUSH ".utf8) else { return nil }
        let line = bytes.readableBytesView.prefix(Self.maxRequestSize).prefix { $0 != UInt8(ascii: "\n") }
        let name = String(decoding: line.dropFirst(5), as: UTF8.self)
        guard line.count < bytes.readableBytes, InteropFiles.isSafe(name) else { throw Failure() }
        bytes.moveReaderIndex(forwardBy: line.count + 1)
        return name
    }
}

extension Substring {
    fileprivate func trimmingSuffix(_ isTrimmed: (Character) -> Bool) -> String {
        var text = self
        while let last = text.last, isTrimmed(last) { text.removeLast() }
        return String(text)
    }
}
