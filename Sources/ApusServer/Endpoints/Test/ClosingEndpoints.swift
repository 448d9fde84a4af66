import WebTransport

/// `/test/read-then-close?code=N&reason=R`: reads the client's first bidirectional stream to its end, then closes the
/// session.
struct ReadThenCloseEndpoint: TestEndpoint {
    struct Parameters {
        var code: UInt32
        var reason: String
    }

    func parameters(_ query: Query) throws(Query.Invalid) -> Parameters {
        try query.allow("code", "reason")
        return Parameters(code: try query.code(), reason: query["reason"] ?? "")
    }

    func serve(_ session: WebTransportSession, _ parameters: Parameters) async throws {
        for await stream in session.incomingBidirectionalStreams {
            for try await _ in stream.inbound {}
            session.close(code: parameters.code, reason: parameters.reason)
        }
    }
}

/// `/test/close-connection?http3-code=N`: closes the QUIC connection under the session when the client opens a
/// bidirectional stream, with H3_NO_ERROR when no code is given.
struct CloseConnectionEndpoint: TestEndpoint {
    func parameters(_ query: Query) throws(Query.Invalid) -> UInt64 {
        try query.allow("http3-code")
        return UInt64(try query.integer("http3-code", in: 0...(1 << 62) - 1, default: 0x100))
    }

    func serve(_ session: WebTransportSession, _ code: UInt64) async throws {
        // Sooner, the answer to the request might be lost with the connection.
        for await _ in session.incomingBidirectionalStreams { session.closeConnection(http3Code: code) }
    }
}

/// `/test/drain`: asks the client to finish, and echoes like `/echo` all the same.
struct DrainEndpoint: TestEndpoint {
    func parameters(_ query: Query) throws(Query.Invalid) {
        try query.allow()
    }

    func serve(_ session: WebTransportSession, _ parameters: Void) async throws {
        session.drain()
        try await EchoEndpoint().serve(session)
    }
}
