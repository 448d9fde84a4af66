import NIOCore
import WebTransport

extension Query {
    /// The token that ties sessions together.
    fileprivate func token() throws(Invalid) -> String {
        guard let token = self["token"], (1...128).contains(token.utf8.count) else {
            throw Invalid(reason: "token must be a text of 1 to 128 bytes")
        }
        return token
    }
}

/// `/test/record?token=T`: notes under the token how the client ends streams and the session.
///
/// With `write=1` it writes zeros without end on the client's bidirectional streams, and on a unidirectional one of its
/// own, and notes how the client stops them.
struct RecordEndpoint: TestEndpoint {
    struct Parameters {
        var token: String
        var writes: Bool
    }
    let tokens: TokenStore

    func parameters(_ query: Query) throws(Query.Invalid) -> Parameters {
        try query.allow("token", "write")
        return Parameters(token: try query.token(), writes: try query.flag("write"))
    }

    func serve(_ session: WebTransportSession, _ parameters: Parameters) async throws {
        let token = parameters.token
        self.tokens.update(token) { $0.sessions += 1 }
        await withDiscardingTaskGroup { group in
            if parameters.writes {
                group.addTask {
                    // It fails when the session ends before the client allows a stream.
                    guard let stream = try? await session.openUnidirectionalStream() else { return }
                    self.tokens.add(await Self.write(on: stream, .unidirectional), to: token)
                }
            }
            group.addTask {
                await session.serveBidirectionalStreams { stream in
                    await withDiscardingTaskGroup { halves in
                        if parameters.writes {
                            halves.addTask {
                                self.tokens.add(await Self.write(on: stream.outbound, .bidirectional), to: token)
                            }
                        }
                        self.tokens.update(token) { $0.opened += 1 }
                        self.tokens.add(await Self.read(stream.inbound, .bidirectional), to: token)
                    }
                    stream.outbound.finish()
                }
            }
            await session.serveUnidirectionalStreams { stream in
                self.tokens.update(token) { $0.opened += 1 }
                self.tokens.add(await Self.read(stream, .unidirectional), to: token)
            }
        }
        let end = try await session.closed
        self.tokens.update(token) { $0.end = .init(end) }
    }

    private static func read(
        _ stream: WebTransportReceiveStream,
        _ kind: TokenStore.Record.Stream.Kind
    ) async -> TokenStore.Record.Stream {
        var record = TokenStore.Record.Stream(kind: kind, end: .finished)
        do {
            for try await chunk in stream { record.bytes += chunk.readableBytes }
        } catch {
            record.failed(error)
        }
        return record
    }

    private static func write(
        on stream: WebTransportSendStream,
        _ kind: TokenStore.Record.Stream.Kind
    ) async -> TokenStore.Record.Stream {
        var record = TokenStore.Record.Stream(kind: kind, end: .gone)
        let zeros = ByteBuffer(repeating: 0, count: 4096)
        do {
            while !Task.isCancelled { try await stream.write(zeros) }
        } catch {
            record.failed(error)
        }
        return record
    }
}

extension TokenStore.Record.Stream {
    fileprivate mutating func failed(_ error: any Error) {
        let error = error as? WebTransportError
        self.code = error?.applicationCode
        self.end =
            switch error?.code {
            case .streamReset: .reset
            case .streamStopped: .stopped
            default: .gone
            }
    }
}

extension TokenStore.Record.SessionEnd {
    fileprivate init(_ end: WebTransportSession.End) {
        switch end {
        case .closedByPeer(let close), .closedLocally(let close):
            self.init(isAbnormal: false, code: close.code, reason: close.reason)
        case .abnormal(let what):
            self.init(isAbnormal: true, code: nil, reason: what)
        }
    }
}

/// `/test/query?token=T`: what `/test/record` has noted, as JSON on a unidirectional stream, once the client has opened
/// `opened=N` streams, the ends of `streams=N` are noted, and with `session=1` that of the session.
struct QueryEndpoint: TestEndpoint {
    struct Parameters {
        var token: String
        var opened: Int
        var streams: Int
        var awaitsSession: Bool

        func isMet(by record: TokenStore.Record) -> Bool {
            record.opened >= self.opened && record.streams.count >= self.streams
                && (record.end != nil || !self.awaitsSession)
        }
    }
    let tokens: TokenStore

    func parameters(_ query: Query) throws(Query.Invalid) -> Parameters {
        try query.allow("token", "opened", "streams", "session")
        return Parameters(
            token: try query.token(),
            opened: try query.integer("opened", in: 0...256, default: 0),
            streams: try query.integer("streams", in: 0...256, default: 0),
            awaitsSession: try query.flag("session")
        )
    }

    func serve(_ session: WebTransportSession, _ parameters: Parameters) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask {
                for await record in self.tokens.records(of: parameters.token) where parameters.isMet(by: record) {
                    try await session.answer(json: record)
                    return
                }
            }
            _ = try await session.closed
            // Whoever asked has gone.
            group.cancelAll()
        }
    }
}

/// `/test/count?token=T`: counts the sessions with this token, and says on a unidirectional stream which one it is.
struct CountEndpoint: TestEndpoint {
    let tokens: TokenStore

    func parameters(_ query: Query) throws(Query.Invalid) -> String {
        try query.allow("token")
        return try query.token()
    }

    func serve(_ session: WebTransportSession, _ token: String) async throws {
        var number = 0
        self.tokens.update(token) { record in
            record.sessions += 1
            number = record.sessions
        }
        try await session.answer(String(number))
        _ = try await session.closed
    }
}
