import WebTransport

/// `/webtransport/devious-baton?version=0&baton=B&count=N`: plays devious baton
/// (draft-frindell-webtrans-devious-baton § 3).
struct BatonEndpoint: TestEndpoint {
    struct Parameters {
        /// Nil for one of the server's choice.
        var baton: UInt8?
        var count: Int
    }

    func parameters(_ query: Query) throws(Query.Invalid) -> Parameters {
        // Names that are not known belong to other versions, and do no harm.
        _ = try query.integer("version", in: 0...0, default: 0)
        let baton = query["baton"] == nil ? nil : UInt8(try query.integer("baton", in: 1...255, default: 1))
        // Each is a stream at once; the client may not allow more than a hundred.
        return Parameters(baton: baton, count: try query.integer("count", in: 1...100, default: 1))
    }

    func serve(_ session: WebTransportSession, _ parameters: Parameters) async throws {
        let baton = parameters.baton ?? .random(in: 1...255)
        _ = try await BatonPlayer.serving(session, baton: baton, count: parameters.count).play()
    }
}
