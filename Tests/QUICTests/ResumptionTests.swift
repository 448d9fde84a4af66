import Credentials
import NIOCore
import QUIC
import Testing

@Suite("Resumption and early data") struct ResumptionTests {
    private static let request = ByteBuffer(string: "a request that may come early")

    /// A first connection, after which the client has what the server gives out.
    private func acquaint(
        _ continuity: Pair.Continuity,
        transport: TransportConfiguration = TransportConfiguration(),
        terms: [UInt8]? = [1]
    ) throws {
        let pair = try Pair(transport: transport, continuity: continuity)
        if let terms { pair.clientConnection.rememberTerms(terms) }
        try #require(pair.run { $0.isEstablished && $0.clientConnection.hasStoredTicket })
        #expect(!pair.clientConnection.isResumed && !pair.serverConnection!.isResumed)
        pair.clientConnection.close(code: 0, at: pair.now)
        pair.run(for: .seconds(5))
    }

    /// Opens a stream and writes the request to it, as soon as the connection allows.
    private func ask(_ pair: Pair) throws -> StreamID {
        let id = try pair.clientConnection.openStream(.bidirectional)
        pair.clientConnection.write(Self.request, to: id, finish: true)
        return id
    }

    private func hasReported(_ events: [ConnectionEvent], _ isWanted: (ConnectionEvent) -> Bool) -> Bool {
        events.contains(where: isWanted)
    }

    private static func isRejection(_ event: ConnectionEvent) -> Bool {
        if case .earlyDataRejected = event { true } else { false }
    }

    private static func isCompletion(_ event: ConnectionEvent) -> Bool {
        if case .handshakeCompleted = event { true } else { false }
    }

    @Test("RFC 8446 § 2.2: a second connection resumes the first one's session, and both ends say so") func resumes()
        throws
    {
        let continuity = Pair.Continuity()
        try self.acquaint(continuity)
        let pair = try Pair(continuity: continuity)
        try #require(pair.run { $0.isEstablished })
        #expect(pair.clientConnection.isResumed && pair.serverConnection!.isResumed)
        #expect(!pair.clientConnection.isEarlyDataAccepted && !pair.serverConnection!.isEarlyDataAccepted)
        #expect(pair.clientConnection.earlyTerms == nil)
    }

    @Test("RFC 9001 § 4.6: early data arrives with the first flight, before the handshake is complete") func earlyData()
        throws
    {
        let continuity = Pair.Continuity()
        try self.acquaint(continuity, terms: [4, 2])
        let pair = try Pair(continuity: continuity, sendsEarlyData: true)
        #expect(pair.clientConnection.earlyTerms == [4, 2])
        let start = pair.now
        let id = try self.ask(pair)
        try #require(pair.run { Pair.received($0.serverEvents, on: id).isFinal })
        #expect(pair.now - start == pair.delay)
        #expect(pair.datagramsToServer.count == 1)
        #expect(!self.hasReported(pair.serverEvents, Self.isCompletion))
        // 0.5-RTT: the answer needs no Finished either.
        pair.serverConnection!.write(ByteBuffer(string: "an answer"), to: id, finish: true)
        try #require(pair.run { Pair.received($0.clientEvents, on: id).isFinal })
        #expect(pair.now - start == pair.delay * 2)
        try #require(pair.run { $0.isEstablished })
        #expect(pair.clientConnection.isResumed && pair.serverConnection!.isResumed)
        #expect(pair.clientConnection.isEarlyDataAccepted && pair.serverConnection!.isEarlyDataAccepted)
        #expect(!self.hasReported(pair.clientEvents, Self.isRejection))
        #expect(Pair.received(pair.serverEvents, on: id).bytes == Array(Self.request.readableBytesView))
    }

    @Test("A connection goes on after early data: more streams, both ways, and a ticket for the next one") func goesOn()
        throws
    {
        let continuity = Pair.Continuity()
        try self.acquaint(continuity)
        for _ in 0..<3 {
            let pair = try Pair(continuity: continuity, sendsEarlyData: true)
            pair.clientConnection.rememberTerms([1])
            _ = try self.ask(pair)
            try #require(pair.run { $0.isEstablished && $0.clientConnection.hasStoredTicket })
            #expect(pair.clientConnection.isEarlyDataAccepted)
            let id = try pair.clientConnection.openStream(.bidirectional)
            pair.clientConnection.write(ByteBuffer(repeating: 7, count: 100_000), to: id, finish: true)
            #expect(pair.run { Pair.received($0.serverEvents, on: id).isFinal })
            #expect(Pair.received(pair.serverEvents, on: id).bytes.count == 100_000)
        }
    }

    @Test("Early data that gets lost is sent again under 1-RTT keys") func lossOfEarlyData() throws {
        let continuity = Pair.Continuity()
        try self.acquaint(continuity)
        let pair = try Pair(continuity: continuity, sendsEarlyData: true)
        let id = try self.ask(pair)
        var isFirst = true
        pair.loses = { _ in
            defer { isFirst = false }
            return isFirst
        }
        #expect(pair.run { $0.isEstablished && Pair.received($0.serverEvents, on: id).isFinal })
        #expect(Pair.received(pair.serverEvents, on: id).bytes == Array(Self.request.readableBytesView))
    }

    @Test("Early data survives a Retry (RFC 9001 § 4.6; RFC 9000 § 17.2.5.2)") func retry() throws {
        let continuity = Pair.Continuity()
        try self.acquaint(continuity)
        _ = continuity.store.takeToken()
        let pair = try Pair(retry: .always, continuity: continuity, sendsEarlyData: true)
        let id = try self.ask(pair)
        #expect(pair.run { $0.isEstablished && Pair.received($0.serverEvents, on: id).isFinal })
        #expect(pair.server.statistics.retriesSent == 1)
        #expect(pair.clientConnection.isEarlyDataAccepted)
        #expect(Pair.received(pair.serverEvents, on: id).bytes == Array(Self.request.readableBytesView))
    }

    /// Whatever a server has against early data.
    enum Refusal: CaseIterable {
        case itsLimitsShrank
        case itTakesNone
        case itHasAnotherKey
        case itsFilterIsNew
    }

    @Test(
        "RFC 9001 § 4.6.2: early data that is rejected leaves nothing behind, and can be sent again",
        arguments: Refusal.allCases
    ) func rejection(_ refusal: Refusal) throws {
        var continuity = Pair.Continuity()
        try self.acquaint(continuity)
        var transport = TransportConfiguration()
        switch refusal {
        case .itsLimitsShrank: transport.maxStreams = 3
        case .itTakesNone: continuity.replayFilter = nil
        case .itHasAnotherKey: continuity.ticketKey = try SessionTicketKey()
        case .itsFilterIsNew: continuity.replayFilter = ReplayFilter()
        }
        let pair = try Pair(transport: transport, continuity: continuity, sendsEarlyData: true)
        for _ in 0..<4 { _ = try self.ask(pair) }
        #expect(pair.clientConnection.sendDatagram(header: ByteBuffer(), payload: Self.request) == .queued)
        try #require(pair.run { $0.isEstablished })
        #expect(self.hasReported(pair.clientEvents, Self.isRejection))
        #expect(!pair.clientConnection.isEarlyDataAccepted && !pair.serverConnection!.isEarlyDataAccepted)
        #expect(pair.clientConnection.earlyTerms == nil)
        #expect(pair.clientConnection.heldByteCount == 0)
        let isStillTheServer = refusal == .itTakesNone || refusal == .itsFilterIsNew
        #expect(pair.clientConnection.isResumed == isStillTheServer)
        let id = try self.ask(pair)
        #expect(id.rawValue == 0)
        #expect(pair.run { Pair.received($0.serverEvents, on: id).isFinal })
        #expect(Pair.received(pair.serverEvents, on: id).bytes == Array(Self.request.readableBytesView))
        #expect(Pair.datagrams(pair.serverEvents).isEmpty)
        if refusal == .itsLimitsShrank {
            for _ in 0..<2 { _ = try self.ask(pair) }
            #expect(throws: QUICError.self) { try pair.clientConnection.openStream(.bidirectional) }
        }
    }

    @Test("RFC 8446 § 8: the same first flight is taken once, by whichever endpoint of the server") func replay() throws
    {
        let continuity = Pair.Continuity()
        try self.acquaint(continuity)
        let pair = try Pair(continuity: continuity, sendsEarlyData: true)
        let id = try self.ask(pair)
        try #require(pair.run { Pair.received($0.serverEvents, on: id).isFinal })
        let flight = pair.datagramsToServer[0]
        // Each `Pair` has an endpoint of its own; keys and filter are the server's.
        for _ in 0..<3 {
            let other = try Pair(continuity: continuity)
            guard case .accepted(let connection) = other.inject(flight) else {
                Issue.record("the flight begins a connection like any other")
                return
            }
            #expect(connection.isResumed && !connection.isEarlyDataAccepted)
            while let event = connection.nextEvent() {
                if case .streamData = event { Issue.record("early data was taken again") }
            }
        }
    }

    @Test("A filter that is full refuses early data with the tickets so far, and takes that with new ones")
    func fullFilter() throws {
        var continuity = Pair.Continuity()
        continuity.replayFilter = ReplayFilter(capacity: 1)
        func sendsEarly() throws -> Bool {
            let pair = try Pair(continuity: continuity, sendsEarlyData: true)
            pair.clientConnection.rememberTerms([1])
            _ = try self.ask(pair)
            try #require(pair.run { $0.isEstablished && $0.clientConnection.hasStoredTicket })
            return pair.clientConnection.isEarlyDataAccepted
        }
        try self.acquaint(continuity)
        #expect(try sendsEarly())
        #expect(try !sendsEarly())
        // The ticket that came with the refusal is older than the new recording, which begins with the next connection.
        #expect(try !sendsEarly())
        #expect(try sendsEarly())
    }

    @Test(
        "RFC 9000 § 8.1: an answer to early data keeps to three times what has come from an address that is not proved"
    ) func amplification() throws {
        let continuity = Pair.Continuity()
        try self.acquaint(continuity)
        _ = continuity.store.takeToken()
        let pair = try Pair(continuity: continuity, sendsEarlyData: true)
        let id = try self.ask(pair)
        try #require(pair.run { Pair.received($0.serverEvents, on: id).isFinal })
        pair.loses = { _ in true }
        pair.serverConnection!.write(ByteBuffer(repeating: 7, count: 1 << 20), to: id, finish: true)
        pair.run(for: .seconds(5))
        let received = pair.datagramsToServer[0].count
        let sent = pair.datagramsToClient.reduce(0) { $0 + $1.count }
        #expect(sent <= 3 * received)
        #expect(sent > received, "there was something to send")
    }

    @Test("Without terms of the application a ticket is good for resumption alone") func noTerms() throws {
        let continuity = Pair.Continuity()
        try self.acquaint(continuity, terms: nil)
        let pair = try Pair(continuity: continuity, sendsEarlyData: true)
        #expect(throws: QUICError.self) { try pair.clientConnection.openStream(.bidirectional) }
        try #require(pair.run { $0.isEstablished })
        #expect(pair.clientConnection.isResumed && !pair.clientConnection.isEarlyDataAccepted)
    }

    @Test("A ticket is used once (RFC 8446 § C.4)") func singleUse() throws {
        let continuity = Pair.Continuity()
        try self.acquaint(continuity)
        let first = try Pair(continuity: continuity)
        let second = try Pair(continuity: continuity)
        try #require(first.run { $0.isEstablished })
        try #require(second.run { $0.isEstablished })
        #expect(first.clientConnection.isResumed && !second.clientConnection.isResumed)
    }

    @Test("A client that verifies the server otherwise does not resume, and does not get past its own check")
    func otherVerification() throws {
        let continuity = Pair.Continuity()
        try self.acquaint(continuity)
        let wrong = try DevelopmentCertificate(hosts: ["localhost"]).makeIdentity().fingerprint
        let pair = try Pair(trust: .fingerprints([wrong]), continuity: continuity, sendsEarlyData: true)
        #expect(throws: QUICError.self) { try pair.clientConnection.openStream(.bidirectional) }
        pair.run(for: .seconds(5))
        guard case .certificateRejected = Pair.closeReason(pair.clientEvents) else {
            Issue.record("the connection ended with \(String(describing: Pair.closeReason(pair.clientEvents)))")
            return
        }
    }

    // MARK: Tokens

    @Test("RFC 9000 § 8.1.3: a token of an earlier connection spares the Retry") func token() throws {
        let continuity = Pair.Continuity()
        try self.acquaint(continuity)
        let pair = try Pair(retry: .always, continuity: continuity)
        #expect(pair.run { $0.isEstablished })
        #expect(pair.server.statistics.retriesSent == 0)
    }

    /// Why a token proves nothing.
    enum BadToken: CaseIterable {
        case altered
        case cutShort
        case anothers
        case none
    }

    @Test(
        "RFC 9000 § 8.1.3: a token that proves nothing is ignored, as if there were none",
        arguments: BadToken.allCases
    ) func badToken(_ kind: BadToken) throws {
        let continuity = Pair.Continuity()
        try self.acquaint(continuity)
        var token = try #require(continuity.store.takeToken())
        switch kind {
        case .altered: token[token.count / 2] ^= 1
        case .cutShort: token.removeLast(9)
        case .anothers:
            var other = continuity
            other.secrets = EndpointSecrets()
            continuity.store.removeAll()
            try self.acquaint(other)
            token = try #require(continuity.store.takeToken())
        case .none: token = []
        }
        if !token.isEmpty { continuity.store.remember(addressToken: token, of: .testServer) }
        let demanding = try Pair(retry: .always, continuity: continuity)
        #expect(demanding.run { $0.isEstablished })
        #expect(demanding.server.statistics.retriesSent == 1)
        if !token.isEmpty { continuity.store.remember(addressToken: token, of: .testServer) }
        let lenient = try Pair(retry: .never, continuity: continuity)
        #expect(lenient.run { $0.isEstablished })
    }

    @Test("A token is good for an hour, and not for longer") func oldToken() throws {
        for (age, retries) in [(TimeAmount.minutes(59), 0), (.minutes(61), 1)] {
            let continuity = Pair.Continuity()
            try self.acquaint(continuity)
            let pair = try Pair(retry: .always, continuity: continuity, startingAt: age)
            #expect(pair.run { $0.isEstablished })
            #expect(pair.server.statistics.retriesSent == retries)
        }
    }
}

extension ResumptionStore.Server {
    /// The server of every `Pair`.
    fileprivate static var testServer: Self {
        let fingerprint = try! Pair.certificate.makeIdentity().fingerprint
        return Self(.quic, host: "localhost", port: 4433, verification: .fingerprints([fingerprint]))
    }
}

extension ResumptionStore {
    /// Takes the token alone.
    fileprivate func takeToken() -> [UInt8]? {
        let memory = self.take(for: .testServer)
        if let ticket = memory.ticket { self.remember(ticket, of: .testServer) }
        return memory.addressToken
    }
}
