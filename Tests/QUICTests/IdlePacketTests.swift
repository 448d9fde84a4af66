import NIOCore
import Testing

@testable import QUIC

@Suite("Packets that lead to nothing")
struct IdlePacketTests {
    @Test("A packet number is the one nearest to what is expected (RFC 9000 § A.3)")
    func decode() {
        #expect(NewestPacket.decode(0x9b32, bits: 16, expected: 0xa82f_30eb) == 0xa82f_9b32)
        #expect(NewestPacket.decode(0xff, bits: 8, expected: 0x100) == 0xff)
        #expect(NewestPacket.decode(0x01, bits: 8, expected: 0xff) == 0x101)
        #expect(NewestPacket.decode(0x05, bits: 8, expected: 0) == 0x05)
        #expect(NewestPacket.decode(0xffff_ffff, bits: 32, expected: (1 << 62) - 1) == (1 << 62) - 1)
    }

    @Test("Only a larger number than all before is new")
    func newest() {
        var newest = NewestPacket()
        var verdicts: [Bool] = []
        for number: UInt64 in [0, 1, 1, 5, 3, 6, 0] { verdicts.append(newest.isNew(truncated: number, bits: 8)) }
        #expect(verdicts == [true, true, false, true, false, true, false])
        #expect(newest.number == 6)
    }

    /// A pair with an established connection, at rest.
    private static func makePair() throws -> Pair {
        let pair = try Pair()
        try #require(pair.run { $0.isEstablished })
        pair.run(for: .seconds(2))
        return pair
    }

    @Test("A transfer over a good path has next to none")
    func transfer() throws {
        let pair = try Self.makePair()
        let before = pair.serverConnection!.idlePacketCount
        let id = try pair.clientConnection.openStream(.unidirectional)
        pair.clientConnection.write(ByteBuffer(repeating: 0, count: 1 << 20), to: id, finish: true)
        pair.run(for: .seconds(10)) { Pair.received($0.serverEvents, on: id).isFinal }
        #expect(pair.serverConnection!.progress > 1024)
        // Acknowledgements of credit, probes of the path.
        #expect(pair.serverConnection!.idlePacketCount - before < 30)
    }

    @Test(
        "A long transfer on a fast path that loses pays back what its losses owe",
        arguments: [0.01, 0.1],
        [true, false]
    )
    func lossyTransfer(loss: Double, isUpload: Bool) throws {
        var transport = TransportConfiguration()
        // It fills the path in spite of the losses: as many packets as can be are behind a lost one.
        transport.congestionControl = .bbr
        let pair = try Pair(transport: transport)
        try #require(pair.run { $0.isEstablished })
        let server = try #require(pair.serverConnection)
        var fates = SeededGenerator(seed: 11)
        pair.delay = .milliseconds(50)
        pair.loses = { _ in Double.random(in: 0..<1, using: &fates) < loss }

        let (sender, receiver) = isUpload ? (pair.clientConnection!, server) : (server, pair.clientConnection!)
        let length = 16 << 20
        let id = try sender.openStream(.unidirectional)
        sender.write(ByteBuffer(repeating: 0, count: length), to: id, finish: true)
        var seen = (events: 0, bytes: 0, progress: server.progress, idle: server.idlePacketCount)
        var (debt, deepest) = (0, 0)
        let isComplete = pair.run(for: .seconds(600)) { pair in
            let events = isUpload ? pair.serverEvents : pair.clientEvents
            for case .streamData(_, let data, _) in events[seen.events...] {
                receiver.consumed(data.readableBytes, of: id)
                seen.bytes += data.readableBytes
            }
            debt = max(0, debt + (server.idlePacketCount - seen.idle) - (server.progress - seen.progress))
            deepest = max(deepest, debt)
            (seen.events, seen.progress, seen.idle) = (events.count, server.progress, server.idlePacketCount)
            return seen.bytes == length
        }
        #expect(isComplete)
        // Of 20,000 that a peer may owe (AbuseGuard).
        #expect(deepest < 2_000)
    }

    @Test("A packet that somebody made up, or repeats, counts as nothing")
    func foreign() throws {
        let pair = try Self.makePair()
        let id = try pair.clientConnection.openStream(.unidirectional)
        pair.clientConnection.write(ByteBuffer(string: "x"), to: id)
        pair.run(for: .seconds(2))
        let genuine = pair.datagramsToServer.last!
        let (progress, idle) = (pair.serverConnection!.progress, pair.serverConnection!.idlePacketCount)
        for _ in 0..<100 {
            // The header leads to the connection; the rest does not decrypt.
            let forged = genuine.prefix(20) + [UInt8](repeating: 7, count: 40)
            for datagram in [genuine, Array(forged)] {
                guard case .delivered = pair.inject(datagram) else {
                    Issue.record("it belongs to the connection")
                    return
                }
            }
        }
        #expect(pair.serverConnection!.isOpen)
        #expect(pair.serverConnection!.progress == progress)
        #expect(pair.serverConnection!.idlePacketCount == idle)
    }

    @Test("What the library holds for a connection is known, and returned")
    func memory() throws {
        let pair = try Self.makePair()
        let before = pair.serverConnection!.libraryByteCount
        #expect(before > 10_000)
        #expect(before < 500_000)
        for _ in 0..<100 {
            let id = try pair.clientConnection.openStream(.bidirectional)
            pair.clientConnection.write(ByteBuffer(string: "x"), to: id)
        }
        pair.run(for: .seconds(1))
        #expect(pair.serverConnection!.libraryByteCount > before + 100 * 100)
    }
}
