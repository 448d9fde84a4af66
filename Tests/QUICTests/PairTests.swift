import Credentials
import NIOConcurrencyHelpers
import NIOCore
import QUIC
import Testing

@Suite("Two connections in memory")
struct PairTests {
    @Test("The handshake completes in two round trips of the link or fewer")
    func handshake() throws {
        let pair = try Pair()
        let start = pair.now
        #expect(pair.run { $0.isEstablished })
        #expect(pair.now - start <= .milliseconds(41))
    }

    @Test("A stream carries data and its end both ways")
    func echo() throws {
        let pair = try Pair()
        try #require(pair.run { $0.isEstablished })
        let id = try pair.clientConnection.openStream(.bidirectional)
        pair.clientConnection.write(ByteBuffer(string: "hello"), to: id, finish: true)
        #expect(pair.run { Pair.received($0.serverEvents, on: id).isFinal })
        #expect(Pair.received(pair.serverEvents, on: id).bytes == Array("hello".utf8))
        pair.serverConnection!.write(ByteBuffer(string: "world"), to: id, finish: true)
        #expect(pair.run { Pair.received($0.clientEvents, on: id).isFinal })
        #expect(Pair.received(pair.clientEvents, on: id).bytes == Array("world".utf8))
    }

    @Test("A megabyte arrives whole under loss in both directions", arguments: [2, 10, 30])
    func loss(percent: Int) throws {
        // Under such a loss it happens that nothing is heard for longer than a browser would wait.
        var transport = TransportConfiguration()
        transport.idleTimeout = .minutes(10)
        let pair = try Pair(transport: transport)
        var fate = SeededGenerator(seed: UInt64(percent))
        try #require(pair.run { $0.isEstablished })
        pair.loses = { _ in Int.random(in: 0..<100, using: &fate) < percent }
        let id = try pair.clientConnection.openStream(.unidirectional)
        let sent = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        pair.clientConnection.write(ByteBuffer(bytes: sent), to: id, finish: true)
        #expect(pair.run(for: .minutes(30)) { Pair.received($0.serverEvents, on: id).isFinal })
        let received = Pair.received(pair.serverEvents, on: id).bytes
        // A difference of megabytes would take the runner hours to describe.
        let isSame = received == sent
        #expect(isSame)
    }

    @Test("A sender stops at the flow-control limit until the receiver returns credit (RFC 9000 § 4)")
    func flowControl() throws {
        var transport = TransportConfiguration()
        transport.maxStreamData = 10_000
        let pair = try Pair(transport: transport)
        try #require(pair.run { $0.isEstablished })
        let id = try pair.clientConnection.openStream(.unidirectional)
        pair.clientConnection.write(ByteBuffer(repeating: 7, count: 25_000), to: id, finish: true)
        pair.run(for: .seconds(5))
        #expect(Pair.received(pair.serverEvents, on: id).bytes.count == 10_000)
        pair.serverConnection!.consumed(10_000, of: id)
        pair.run(for: .seconds(5))
        #expect(Pair.received(pair.serverEvents, on: id).bytes.count == 20_000)
        pair.serverConnection!.consumed(10_000, of: id)
        #expect(pair.run(for: .seconds(5)) { Pair.received($0.serverEvents, on: id).isFinal })
    }

    @Test("A stream ends without credit of the connection: an end takes up none (RFC 9000 § 4.1)")
    func endWithoutCredit() throws {
        var transport = TransportConfiguration()
        transport.maxConnectionData = 10_000
        let pair = try Pair(transport: transport)
        try #require(pair.run { $0.isEstablished })
        let (full, empty) = (
            try pair.clientConnection.openStream(.unidirectional), try pair.clientConnection.openStream(.unidirectional)
        )
        pair.clientConnection.write(ByteBuffer(repeating: 7, count: 25_000), to: full)
        pair.run(for: .seconds(5))
        #expect(Pair.received(pair.serverEvents, on: full).bytes.count == 10_000)
        pair.clientConnection.write(ByteBuffer(), to: empty, finish: true)
        #expect(pair.run(for: .seconds(5)) { Pair.received($0.serverEvents, on: empty).isFinal })
    }

    @Test("A reset gives up what was not sent, and no longer counts it as held")
    func resetReleases() throws {
        let pair = try Pair()
        try #require(pair.run { $0.isEstablished })
        let id = try pair.clientConnection.openStream(.unidirectional)
        pair.clientConnection.write(ByteBuffer(repeating: 7, count: 9 << 20), to: id)
        pair.run(for: .seconds(5))
        // 2 MiB are the stream's credit: they were sent and acknowledged.
        #expect(pair.clientConnection.heldByteCount == 7 << 20)
        pair.clientConnection.reset(id, code: 1)
        #expect(pair.clientConnection.heldByteCount == 0)
    }

    @Test("Datagrams arrive unchanged, up to the largest size and not beyond (RFC 9221) [26]")
    func datagrams() throws {
        let pair = try Pair()
        try #require(pair.run { $0.isEstablished })
        let largest = pair.clientConnection.maxDatagramSize
        #expect(largest > 1000)
        let empty = ByteBuffer()
        for size in [1, 100, largest] {
            let payload = ByteBuffer(repeating: UInt8(size % 251), count: size)
            #expect(pair.clientConnection.sendDatagram(header: empty, payload: payload) == .queued)
        }
        let excess = ByteBuffer(repeating: 0, count: largest + 1)
        #expect(pair.clientConnection.sendDatagram(header: empty, payload: excess) == .tooLarge)
        #expect(pair.run(for: .seconds(5)) { Pair.datagrams($0.serverEvents).count == 3 })
        #expect(Pair.datagrams(pair.serverEvents).map(\.count) == [1, 100, largest])
    }

    @Test("A full datagram queue drops the oldest [27]")
    func datagramQueue() throws {
        var transport = TransportConfiguration()
        transport.maxQueuedDatagrams = 2
        let pair = try Pair(transport: transport)
        try #require(pair.run { $0.isEstablished })
        let outcomes = (1...3).map {
            pair.clientConnection.sendDatagram(header: ByteBuffer(), payload: ByteBuffer(bytes: [UInt8($0)]))
        }
        #expect(outcomes == [.queued, .queued, .displacedOldest])
        pair.run(for: .seconds(1))
        #expect(Pair.datagrams(pair.serverEvents) == [[2], [3]])
    }

    @Test("A reset waits until the prefix of its stream was acknowledged [20]")
    func resetAfterPrefix() throws {
        let pair = try Pair()
        try #require(pair.run { $0.isEstablished })
        let id = try pair.clientConnection.openStream(.unidirectional)
        pair.clientConnection.write(ByteBuffer(string: "ab"), to: id)
        pair.clientConnection.reset(id, code: 77, afterPrefix: 2)
        var dropped = 0
        pair.loses = { _ in
            dropped += 1
            return dropped <= 1
        }
        pair.run(for: .seconds(5))
        #expect(Pair.received(pair.serverEvents, on: id).bytes == Array("ab".utf8))
        let codes = pair.serverEvents.compactMap { if case .streamReset(id, let code, _, _) = $0 { code } else { nil } }
        #expect(codes == [77])
    }

    private static func stops(_ events: [ConnectionEvent], of id: StreamID) -> [UInt64?] {
        events.flatMap { event -> [UInt64?] in if case .stopSending(id, let code) = event { [code] } else { [] } }
    }

    @Test("STOP_SENDING of a unidirectional stream reaches the sender once, with its code")
    func stopUnidirectional() throws {
        let pair = try Pair()
        try #require(pair.run { $0.isEstablished })
        let id = try pair.clientConnection.openStream(.unidirectional)
        pair.clientConnection.write(ByteBuffer(string: "x"), to: id)
        #expect(pair.run { !Pair.received($0.serverEvents, on: id).bytes.isEmpty })
        pair.serverConnection!.stopSending(id, code: 9)
        pair.run(for: .milliseconds(15))
        pair.clientConnection.write(ByteBuffer(string: "y"), to: id)
        pair.run(for: .seconds(2))
        #expect(Self.stops(pair.clientEvents, of: id) == [9])
    }

    @Test("A probe finds out that the peer has stopped a stream, and changes nothing else")
    func probe() throws {
        let pair = try Pair()
        try #require(pair.run { $0.isEstablished })
        let id = try pair.clientConnection.openStream(.bidirectional)
        pair.clientConnection.write(ByteBuffer(string: "x"), to: id)
        pair.clientConnection.probe(id)
        #expect(pair.run { !Pair.received($0.serverEvents, on: id).bytes.isEmpty })
        pair.clientConnection.probe(id)
        pair.run(for: .seconds(1))
        #expect(Self.stops(pair.clientEvents, of: id) == [])
        pair.serverConnection!.stopSending(id, code: 9)
        pair.run(for: .seconds(1))
        #expect(Self.stops(pair.clientEvents, of: id) == [])
        pair.clientConnection.probe(id)
        pair.run(for: .seconds(1))
        #expect(Self.stops(pair.clientEvents, of: id) == [nil])
        #expect(Pair.received(pair.serverEvents, on: id).bytes == Array("x".utf8))
    }

    @Test("STOP_SENDING of a bidirectional stream shows when more is to be sent, and with its code at the stream's end")
    func stopBidirectional() throws {
        let pair = try Pair()
        try #require(pair.run { $0.isEstablished })
        let id = try pair.clientConnection.openStream(.bidirectional)
        pair.clientConnection.write(ByteBuffer(string: "x"), to: id)
        #expect(pair.run { !Pair.received($0.serverEvents, on: id).bytes.isEmpty })
        pair.serverConnection!.stopSending(id, code: 9)
        pair.run(for: .seconds(2))
        pair.clientConnection.write(ByteBuffer(string: "y"), to: id)
        pair.serverConnection!.write(ByteBuffer(), to: id, finish: true)
        pair.run(for: .seconds(2))
        #expect(Self.stops(pair.clientEvents, of: id) == [nil, 9])
        #expect(Pair.received(pair.serverEvents, on: id).bytes == Array("x".utf8))
    }

    @Test("Streams beyond the limit wait for one to end (RFC 9000 § 4.6)")
    func streamLimit() throws {
        var transport = TransportConfiguration()
        transport.maxStreams = 1
        let pair = try Pair(transport: transport)
        try #require(pair.run { $0.isEstablished })
        let first = try pair.clientConnection.openStream(.unidirectional)
        #expect(throws: QUICError.self) { try pair.clientConnection.openStream(.unidirectional) }
        pair.clientConnection.write(ByteBuffer(string: "x"), to: first, finish: true)
        pair.run(for: .seconds(2))
        #expect(throws: QUICError.self) { try pair.clientConnection.openStream(.unidirectional) }
        pair.serverConnection!.allowAnotherStream(.unidirectional)
        pair.run(for: .seconds(2))
        #expect(throws: Never.self) { try pair.clientConnection.openStream(.unidirectional) }
    }

    @Test("A close reaches the peer with its code and reason, and both ends forget the connection")
    func close() throws {
        let pair = try Pair()
        try #require(pair.run { $0.isEstablished })
        pair.clientConnection.close(code: 0x100, reason: "done", at: pair.now)
        pair.run()
        #expect(
            Pair.closeReason(pair.serverEvents)
                == .closedByPeer(code: 0x100, isApplication: true, reason: "done")
        )
        #expect(Pair.closeReason(pair.clientEvents) == .closedLocally(code: 0x100))
        #expect(pair.serverConnection!.isClosed)
        #expect(pair.clientConnection.isClosed)
        #expect(pair.server.connections.count == 0)
        #expect(pair.client.connections.count == 0)
    }

    @Test("A silent connection ends after the idle timeout")
    func idle() throws {
        let pair = try Pair()
        try #require(pair.run { $0.isEstablished })
        pair.run(for: .seconds(5))
        pair.loses = { _ in true }
        pair.run(for: .seconds(60))
        #expect(Pair.closeReason(pair.clientEvents) == .idleTimeout)
        #expect(Pair.closeReason(pair.serverEvents) == .idleTimeout)
        #expect(pair.server.connections.count == 0)
    }

    @Test("A key update goes unnoticed by streams (RFC 9001 § 6) [55]")
    func keyUpdate() throws {
        let pair = try Pair()
        try #require(pair.run { $0.isEstablished })
        pair.run(for: .seconds(1))
        try pair.clientConnection.initiateKeyUpdate(at: pair.now)
        let id = try pair.clientConnection.openStream(.unidirectional)
        pair.clientConnection.write(ByteBuffer(string: "after"), to: id, finish: true)
        #expect(pair.run(for: .seconds(5)) { Pair.received($0.serverEvents, on: id).isFinal })
    }

    @Test("BBR carries data too")
    func bbr() throws {
        var transport = TransportConfiguration()
        transport.congestionControl = .bbr
        let pair = try Pair(transport: transport)
        try #require(pair.run { $0.isEstablished })
        let id = try pair.clientConnection.openStream(.unidirectional)
        pair.clientConnection.write(ByteBuffer(repeating: 3, count: 500_000), to: id, finish: true)
        #expect(pair.run(for: .minutes(2)) { Pair.received($0.serverEvents, on: id).isFinal })
        #expect(Pair.received(pair.serverEvents, on: id).bytes.count == 500_000)
    }

    @Test("qlog is one JSON text sequence a connection, beginning with its header")
    func qlog() throws {
        let log = Log()
        var transport = TransportConfiguration()
        transport.makeQlogWriter = { _, isServer in
            isServer ? nil : { bytes in log.text.withLockedValue { $0 += String(decoding: bytes, as: UTF8.self) } }
        }
        let pair = try Pair(transport: TransportConfiguration(), clientTransport: transport)
        try #require(pair.run { $0.isEstablished })
        let text = log.text.withLockedValue { $0 }
        #expect(text.hasPrefix("\u{1e}{"))
        #expect(text.contains("packet_sent") && text.contains("packet_received"))
    }

    private final class Log: Sendable {
        let text = NIOLockedValueBox("")
    }

    @Test("ALPN that does not match fails the handshake with an alert on both ends (RFC 9001 § 8.1)")
    func alpn() throws {
        let pair = try Pair(clientProtocols: ["nothing"])
        pair.run(for: .seconds(5))
        #expect(!pair.isEstablished)
        // no_application_protocol is alert 120, in QUIC the error 0x100 + 120.
        #expect(
            Pair.closeReason(pair.clientEvents) == .closedByPeer(code: 0x178, isApplication: false, reason: "")
        )
    }

    @Test("A certificate that is not the expected one is refused by the client, with what to do about it")
    func wrongFingerprint() throws {
        let other = try DevelopmentCertificate(hosts: ["localhost"]).makeIdentity()
        let pair = try Pair(trust: .fingerprints([other.fingerprint]))
        pair.run(for: .seconds(5))
        guard case .certificateRejected(let why) = Pair.closeReason(pair.clientEvents) else {
            Issue.record("expected a rejected certificate, got \(pair.clientEvents)")
            return
        }
        #expect(!why.isEmpty)
        #expect(!pair.clientEvents.contains { if case .handshakeCompleted = $0 { true } else { false } })
    }
}
