import NIOCore
import QUIC
import Testing

@Suite("Datagrams without a connection")
struct EndpointTests {
    @Test("With Retry the handshake completes, and the token is demanded only once (RFC 9000 § 8.1.2)")
    func retry() throws {
        let pair = try Pair(retry: .always)
        #expect(pair.run { $0.isEstablished })
        #expect(pair.server.statistics.retriesSent >= 1)
        #expect(pair.server.statistics.invalidTokens == 0)
    }

    @Test("Retry switches on by itself when enough handshakes are half open")
    func automaticRetry() throws {
        let pair = try Pair(retry: .auto(halfOpenThreshold: 0))
        #expect(pair.run { $0.isEstablished })
        #expect(pair.server.statistics.retriesSent >= 1)
        let calm = try Pair(retry: .auto(halfOpenThreshold: 1))
        #expect(calm.run { $0.isEstablished })
        #expect(calm.server.statistics.retriesSent == 0)
    }

    @Test("A handshake that has failed is half open until it is forgotten: nobody need be at the other end")
    func failedHandshakes() throws {
        let pair = try Pair(retry: .auto(halfOpenThreshold: 1), clientProtocols: ["unknown"])
        #expect(pair.run { Pair.closeReason($0.serverEvents) != nil })
        #expect(pair.server.halfOpenCount == 1)
        let other = try Pair(clientProtocols: ["unknown"])
        other.run(for: .zero)
        guard case .respond = pair.inject(other.datagramsToServer[0]) else {
            Issue.record("expected a Retry")
            return
        }
        #expect(pair.server.statistics.retriesSent == 1)
        #expect(pair.run { $0.serverConnection!.isClosed })
        pair.server.released(pair.serverConnection!)
        #expect(pair.server.halfOpenCount == 0)
        #expect(pair.server.connectionCount == 0)
    }

    @Test("A handshake that has completed is half open no more")
    func completedHandshake() throws {
        let pair = try Pair()
        #expect(pair.run { $0.isEstablished })
        #expect(pair.server.halfOpenCount == 0)
        pair.clientConnection.close(code: 0, at: pair.now)
        #expect(pair.run { $0.serverConnection!.isClosed })
        pair.server.released(pair.serverConnection!)
        #expect(pair.server.halfOpenCount == 0)
    }

    @Test("A closed connection sends an address that is not proved no more than three times what came from it")
    func closingAmplification() throws {
        let pair = try Pair(clientProtocols: ["unknown"])
        #expect(pair.run { Pair.closeReason($0.serverEvents) != nil })
        // The client's part is over; what comes now is forged: a short header and the ID that the client chose.
        pair.loses = { _ in true }
        let hello = pair.datagramsToServer[0]
        let stray = [0x40] + hello[6..<6 + Int(hello[5])]
        var received = pair.datagramsToServer.reduce(0) { $0 + $1.count }
        for _ in 0..<5_000 {
            guard case .delivered = pair.inject(stray) else {
                Issue.record("the connection is still there")
                return
            }
            received += stray.count
            pair.run(for: .zero)
            let sent = pair.datagramsToClient.reduce(0) { $0 + $1.count }
            guard sent <= 3 * received else {
                Issue.record("\(sent) bytes for \(received)")
                return
            }
        }
    }

    @Test("A peer far away, or one that says so, keeps the place of its dead connection for ten seconds at most")
    func draining() throws {
        let pair = try Pair()
        pair.delay = .seconds(2)
        #expect(pair.run { $0.isEstablished })
        pair.clientConnection.close(code: 0, at: pair.now)
        #expect(pair.run { Pair.closeReason($0.serverEvents) != nil })
        let left = try #require(pair.serverConnection!.deadline) - pair.now
        #expect(left == .seconds(10))
    }

    @Test("A Retry token is bound to address, connection IDs and time")
    func tokenBinding() throws {
        let secrets = EndpointSecrets()
        let here = NetworkAddress(try SocketAddress(ipAddress: "192.0.2.1", port: 1000))!
        let elsewhere = NetworkAddress(try SocketAddress(ipAddress: "192.0.2.2", port: 1000))!
        let original = ConnectionID(endpointIndex: 1)
        let retry = ConnectionID(endpointIndex: 2)
        let now = NIODeadline.uptimeNanoseconds(1_000_000_000)
        let token = secrets.retryToken(
            for: here,
            version: 1,
            retrySourceID: retry,
            originalDestinationID: original,
            at: now
        )
        func validity(
            _ token: [UInt8],
            _ address: NetworkAddress,
            _ destination: ConnectionID,
            _ time: NIODeadline,
            _ secrets: EndpointSecrets
        ) -> EndpointSecrets.TokenValidity {
            secrets.validate(token: token, from: address, version: 1, destinationID: destination, at: time)
        }
        #expect(validity(token, here, retry, now, secrets) == .retry(originalDestinationID: original))
        #expect(validity(token, elsewhere, retry, now, secrets) == .invalidRetry)
        #expect(validity(token, here, original, now, secrets) == .invalidRetry)
        #expect(validity(token, here, retry, now + .seconds(11), secrets) == .invalidRetry)
        #expect(validity(token, here, retry, now, EndpointSecrets()) == .invalidRetry)
        for index in token.indices.dropFirst() {
            var altered = token
            altered[index] ^= 1
            #expect(validity(altered, here, retry, now, secrets) == .invalidRetry)
        }
        #expect(validity([], here, retry, now, secrets) == .none)
        #expect(validity([0x00, 1, 2], here, retry, now, secrets) == .none)
    }

    @Test("An unknown version is answered with Version Negotiation, but only from a full-sized datagram (RFC 9000 § 6)")
    func versionNegotiation() throws {
        let pair = try Pair()
        var bytes: [UInt8] = [0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0]
        bytes += [UInt8](repeating: 0, count: 1200 - bytes.count)
        guard case .respond = pair.inject(bytes) else {
            Issue.record("expected a response")
            return
        }
        #expect(pair.server.statistics.versionNegotiationsSent == 1)
        guard case .dropped = pair.inject(Array(bytes.dropLast())) else {
            Issue.record("expected a drop")
            return
        }
    }

    @Test("A packet for a lost connection provokes a smaller stateless reset, which ends the client's connection")
    func statelessReset() throws {
        let pair = try Pair()
        try #require(pair.run { $0.isEstablished })
        pair.run(for: .seconds(1))
        // The server forgets: its connection ends without a word that arrives.
        pair.loses = { _ in true }
        pair.serverConnection!.close(code: 0, at: pair.now)
        pair.run(for: .seconds(3)) { $0.serverConnection!.isClosed }
        pair.loses = { _ in false }
        let id = try pair.clientConnection.openStream(.unidirectional)
        pair.clientConnection.write(ByteBuffer(string: "anyone there?"), to: id)
        pair.run(for: .seconds(5))
        #expect(pair.server.statistics.statelessResetsSent >= 1)
        #expect(Pair.closeReason(pair.clientEvents) == .statelessReset)
        #expect(pair.datagramsToClient.last!.count < pair.datagramsToServer.last!.count)
    }

    @Test("A server that was restarted still ends the connections of its former life (RFC 9000 § 10.3.2)")
    func statelessResetAfterRestart() throws {
        let pair = try Pair()
        try #require(pair.run { $0.isEstablished })
        pair.run(for: .seconds(1))
        pair.restartServer()
        let id = try pair.clientConnection.openStream(.unidirectional)
        pair.clientConnection.write(ByteBuffer(string: "anyone there?"), to: id)
        pair.run(for: .seconds(5))
        #expect(Pair.closeReason(pair.clientEvents) == .statelessReset)
    }

    @Test("A packet with another endpoint's connection ID is handed over")
    func forward() throws {
        let pair = try Pair()
        let stray: [UInt8] = [0x40, 9, 1, 2, 3, 4, 5, 6, 7] + [UInt8](repeating: 0, count: 30)
        guard case .forward(9) = pair.inject(stray) else {
            Issue.record("expected a forward")
            return
        }
        // Its first byte names none of this server's endpoints: it is of a former life with more of them.
        guard case .respond = pair.inject([0x40, 16] + stray.dropFirst(2)) else {
            Issue.record("expected a stateless reset")
            return
        }
    }

    @Test(
        "A client's own first choice of an ID has eight bytes at least, whatever token comes with it (RFC 9000 § 7.2)"
    )
    func shortDestinationID() throws {
        let pair = try Pair()
        for length in [7, 8] {
            var bytes: [UInt8] = [0xc3, 0, 0, 0, 1, UInt8(length)] + [UInt8](repeating: 9, count: length) + [0]
            // A token as of an earlier connection, which proves nothing; then length and packet number.
            bytes += [3, 0x36, 1, 2, 0x44, 0x60] + [UInt8](repeating: 0, count: 4)
            bytes += [UInt8](repeating: 0, count: 1200 - bytes.count)
            switch pair.inject(bytes) {
            case .accepted: #expect(length == 8)
            case .dropped: #expect(length == 7)
            default: Issue.record("expected a connection, or nothing")
            }
        }
    }

    @Test("Garbage is dropped, whatever its length")
    func garbage() throws {
        let pair = try Pair()
        var generator = SeededGenerator(seed: 1)
        for length in 0...200 {
            let bytes = (0..<length).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            if case .accepted = pair.inject(bytes) { Issue.record("garbage began a connection") }
        }
    }

    @Test("Connections beyond the limit are refused with a code, not with silence")
    func refusal() throws {
        let pair = try Pair(maxConnections: 0)
        pair.run(for: .seconds(5))
        #expect(
            Pair.closeReason(pair.clientEvents) == .closedByPeer(code: 0x02, isApplication: false, reason: "")
        )
        #expect(pair.server.statistics.beyondMaxConnections >= 1)
        #expect(pair.server.statistics.connectionsAccepted == 0)
    }

    @Test("Handshakes beyond the limit are refused likewise, and counted")
    func handshakeLimit() throws {
        let pair = try Pair(maxHandshakes: 0)
        pair.run(for: .seconds(5))
        #expect(
            Pair.closeReason(pair.clientEvents) == .closedByPeer(code: 0x02, isApplication: false, reason: "")
        )
        #expect(pair.server.statistics.beyondMaxHandshakes >= 1)
        #expect(pair.server.statistics.connectionsAccepted == 0)
    }

    @Test("Before the client has proved its address, the server sends at most three times what it received")
    func amplification() throws {
        let pair = try Pair()
        // Only the client's first flight gets through.
        var seen = 0
        pair.loses = { _ in
            seen += 1
            return seen > 1
        }
        pair.run(for: .seconds(8))
        let sent = pair.datagramsToClient.reduce(0) { $0 + $1.count }
        #expect(sent > 0)
        #expect(sent <= 3 * pair.datagramsToServer[0].count)
    }
}
