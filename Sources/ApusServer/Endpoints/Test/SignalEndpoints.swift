import NIOCore
import WebTransport

/// `/test/reset` gives up sending, `/test/stop` receiving, on every stream that the client opens, or with `of=server`
/// on one that the server opens, when the client has sent something on it.
///
/// `code=N` is an application's code, `http3-code=N` a code of HTTP/3 as it travels, which need not be an
/// application's.
struct AbortEndpoint: TestEndpoint {
    enum Signal {
        case reset
        case stop
    }
    enum Opener: String, CaseIterable {
        case client
        case server
    }
    enum Code {
        case application(UInt32)
        case http3(UInt64)
    }
    struct Parameters {
        var opener: Opener
        var code: Code
    }
    let signal: Signal

    func parameters(_ query: Query) throws(Query.Invalid) -> Parameters {
        try query.allow("of", "code", "http3-code")
        let code: Code
        if query["http3-code"] == nil {
            code = .application(try query.code())
        } else {
            guard query["code"] == nil else { throw Query.Invalid(reason: "code and http3-code exclude each other") }
            // RFC 9000 § 16: a variable-length integer.
            code = .http3(UInt64(try query.integer("http3-code", in: 0...(1 << 62) - 1, default: 0)))
        }
        return Parameters(opener: try query.word("of"), code: code)
    }

    func serve(_ session: WebTransportSession, _ parameters: Parameters) async throws {
        switch parameters.opener {
        case .client: await self.abortIncoming(session, parameters.code)
        case .server:
            let stream = try await session.openBidirectionalStream()
            try await stream.outbound.write(ByteBuffer(string: "to be given up"))
            // Sooner, a browser drops the stream before its page has it.
            for try await _ in stream.inbound {
                self.abort(stream, parameters.code)
                break
            }
            _ = try await session.closed
        }
    }

    private func abortIncoming(_ session: WebTransportSession, _ code: Code) async {
        await withDiscardingTaskGroup { group in
            group.addTask {
                // The streams' other halves stay in use until the session ends.
                var streams: [WebTransportBidirectionalStream] = []
                for await stream in session.incomingBidirectionalStreams {
                    self.abort(stream, code)
                    streams.append(stream)
                }
            }
            // A unidirectional stream of the client's has nothing to reset.
            guard self.signal == .stop else { return }
            for await stream in session.incomingUnidirectionalStreams { self.stop(stream, code) }
        }
    }

    private func abort(_ stream: WebTransportBidirectionalStream, _ code: Code) {
        switch self.signal {
        case .reset: self.reset(stream.outbound, code)
        case .stop: self.stop(stream.inbound, code)
        }
    }

    private func reset(_ stream: WebTransportSendStream, _ code: Code) {
        switch code {
        case .application(let code): stream.reset(code: code)
        case .http3(let code): stream.reset(http3Code: code)
        }
    }

    private func stop(_ stream: WebTransportReceiveStream, _ code: Code) {
        switch code {
        case .application(let code): stream.stop(code: code)
        case .http3(let code): stream.stop(http3Code: code)
        }
    }
}
