import HTTPTypes
import NIOCore
import Testing
import WebTransport

@testable import ApusServer

@Suite("Devious baton (draft-frindell-webtrans-devious-baton)", .timeLimit(.minutes(1)))
struct BatonTests {
    // MARK: Messages

    @Test(
        "A message is a length, as much padding, and a byte",
        arguments: [
            ([0, 7], 7), ([0, 0], 0), ([3, 9, 9, 9, 255], 255), ([0x40, 2, 1, 1, 5], 5), ([0x80, 0, 0, 1, 0, 4], 4),
        ] as [([UInt8], UInt8)]
    )
    func messages(bytes: [UInt8], value: UInt8) throws {
        #expect(try BatonMessage.decode(ByteBuffer(bytes: bytes)) == BatonMessage(value: value))
        // Also a byte at a time.
        var reader = BatonMessage.Reader()
        for byte in bytes { try reader.received(ByteBuffer(bytes: [byte])) }
        #expect(try reader.ended() == BatonMessage(value: value))
    }

    @Test(
        "What is cut short or followed by more is no message",
        arguments: [[], [0], [1, 0], [0x40], [0x40, 1, 0], [0, 7, 7], [1, 0, 7, 7]] as [[UInt8]]
    )
    func malformed(bytes: [UInt8]) {
        #expect(throws: BatonMessage.Malformed()) { try BatonMessage.decode(ByteBuffer(bytes: bytes)) }
    }

    @Test("What is written is read", arguments: [0, 1, 63, 64, 16_383, 16_384])
    func roundTrip(padding: Int) throws {
        #expect(try BatonMessage.decode(BatonMessage(value: 200).encoded(padding: padding)).value == 200)
    }

    // MARK: Rules

    @Test("A baton goes from unidirectional to bidirectional, to the same stream, to unidirectional, and grows by one")
    func ways() throws {
        var (server, first) = BatonGame.serving(baton: 10, count: 1)
        #expect(first == [.init(value: 10, way: .newUnidirectional)])
        var client = BatonGame.playing(baton: 10, count: 1)
        #expect(try client.received(10, on: .unidirectional).pass == .init(value: 11, way: .newBidirectional))
        #expect(try server.received(11, on: .bidirectionalOfPeer).pass == .init(value: 12, way: .sameStream))
        #expect(try client.received(12, on: .bidirectionalOfOwn).pass == .init(value: 13, way: .newUnidirectional))
        #expect(try server.received(13, on: .unidirectional).pass == .init(value: 14, way: .newBidirectional))
        #expect(try client.received(14, on: .bidirectionalOfPeer).pass == .init(value: 15, way: .sameStream))
    }

    @Test("After 255 comes 0, which is not answered; whoever has the last one ends the session")
    func end() throws {
        var (server, _) = BatonGame.serving(baton: 254, count: 2)
        var client = BatonGame.playing(baton: nil, count: 2)
        for _ in 0..<2 { _ = try client.received(254, on: .unidirectional) }
        #expect(try server.received(255, on: .bidirectionalOfPeer).pass == .init(value: 0, way: .sameStream))
        #expect(!server.isOver)
        #expect(try server.received(255, on: .bidirectionalOfPeer).pass?.value == 0)
        #expect(server.isOver)
        #expect(try client.received(0, on: .bidirectionalOfOwn) == BatonGame.Turn())
        #expect(try client.received(0, on: .bidirectionalOfOwn) == BatonGame.Turn(isLast: true))
    }

    @Test("The server repeats values that 7 divides in datagrams, the client those that leave 1")
    func datagrams() throws {
        for value in UInt8(1)...254 {
            var client = BatonGame.playing(baton: value, count: 1)
            #expect(try client.received(value, on: .unidirectional).isOwedDatagram == (value % 7 == 1))
            var (server, _) = BatonGame.serving(baton: value, count: 1)
            let answer = value + 1
            #expect(
                try server.received(answer, on: .bidirectionalOfPeer).isOwedDatagram == (answer % 7 == 0)
            )
            // Each expects the other's.
            #expect(((try? client.receivedDatagram(value)) != nil) == (value % 7 == 0))
            #expect(((try? server.receivedDatagram(value)) != nil) == (value % 7 == 1))
        }
    }

    @Test("A baton that is not expected is suspicious: its value, its way, or one too many")
    func suspicious() throws {
        let sus = BatonGame.Violation(code: .sus)
        let wrong: [(UInt8, BatonGame.Arrival)] = [
            (12, .bidirectionalOfPeer), (10, .bidirectionalOfPeer), (11, .unidirectional), (11, .bidirectionalOfOwn),
        ]
        for (value, arrival) in wrong {
            var (server, _) = BatonGame.serving(baton: 10, count: 1)
            #expect(throws: sus) { try server.received(value, on: arrival) }
        }
        var (server, _) = BatonGame.serving(baton: 10, count: 1)
        _ = try server.received(11, on: .bidirectionalOfPeer)
        #expect(throws: sus) { try server.received(11, on: .bidirectionalOfPeer) }
        var client = BatonGame.playing(baton: nil, count: 1)
        #expect(throws: sus) { try client.received(0, on: .unidirectional) }
    }

    @Test("The game goes on while a baton is left, and ends when all are lost")
    func lost() {
        var (server, _) = BatonGame.serving(baton: 10, count: 2)
        server.lost(on: .bidirectionalOfPeer)
        #expect(!server.isOver)
        server.lost(on: .bidirectionalOfPeer)
        #expect(server.isOver)
    }

    // MARK: Over the network

    private static let path = "/webtransport/devious-baton"

    private static func run(_ body: (TestServer) async throws -> Void) async throws {
        try await TestServer.run {
            $0.testEndpoints = true
        } _: {
            try await body($0)
        }
    }

    @Test(
        "A game with our own client ends with every baton at home",
        arguments: [(255, 1), (1, 1), (250, 7), (100, 20)] as [(UInt8, Int)]
    )
    func game(baton: UInt8, count: Int) async throws {
        try await Self.run { test in
            let query = "?version=0&baton=\(baton)&count=\(count)"
            let outcome = try await test.webTransport(Self.path + query) { session in
                try await BatonPlayer.playing(session, baton: baton, count: count).play()
            }
            #expect(outcome.isComplete)
            // Values up to 255 and the 0 behind them alternate; the client has the first one.
            let all = 256 - Int(baton) + 1
            #expect(outcome.messages == (all + 1) / 2 * count)
            switch outcome.end {
            case .closedLocally(let close), .closedByPeer(let close): #expect(close == .init(code: 0, reason: ""))
            case .abnormal(let what): Issue.record("the session ended: \(what)")
            }
        }
    }

    @Test("The server chooses a baton when none is asked for, and one baton")
    func defaults() async throws {
        try await Self.run { test in
            let outcome = try await test.webTransport(Self.path) { session in
                try await BatonPlayer.playing(session, baton: nil, count: 1).play()
            }
            #expect(outcome.isComplete)
        }
    }

    @Test(
        "Another version, and values out of range, are refused",
        arguments: ["version=1", "version=x", "baton=0", "baton=256", "baton=", "count=0", "count=101", "count=-1"]
    )
    func refused(query: String) async throws {
        try await Self.run { test in
            let error = await #expect(throws: WebTransportError.self) {
                try await test.webTransport("\(Self.path)?\(query)") { _ in }
            }
            #expect(error?.status?.code == 400)
        }
    }

    /// Answers the server's first baton, 10, on a bidirectional stream with these bytes, and waits for the end.
    private static func answering(_ bytes: [UInt8]) async throws -> WebTransportSession.End? {
        var end: WebTransportSession.End?
        try await self.run { test in
            end = try await test.webTransport(self.path + "?baton=10") { session in
                let stream = try await session.openBidirectionalStream()
                try await stream.outbound.write(ByteBuffer(bytes: bytes))
                stream.outbound.finish()
                return try await session.closed
            }
        }
        return end
    }

    @Test(
        "A malformed message ends the session with BRUH (2)",
        arguments: [[], [0], [5, 11], [0, 11, 0]] as [[UInt8]]
    )
    func bruh(bytes: [UInt8]) async throws {
        #expect(try await Self.answering(bytes) == .closedByPeer(.init(code: 2, reason: "bruh")))
    }

    @Test("A message that is not expected ends the session with SUS (3)", arguments: [0, 10, 12] as [UInt8])
    func sus(value: UInt8) async throws {
        #expect(try await Self.answering([0, value]) == .closedByPeer(.init(code: 3, reason: "sus")))
    }

    @Test("A datagram that is no message ends the session with BRUH (2), one that is not expected with SUS (3)")
    func badDatagrams() async throws {
        for (bytes, code, reason) in [([], 2, "bruh"), ([0, 14], 3, "sus")] as [([UInt8], UInt32, String)] {
            try await Self.run { test in
                let end = try await test.webTransport(Self.path + "?baton=10") { session in
                    try await session.datagrams.send(ByteBuffer(bytes: bytes))
                    return try await session.closed
                }
                #expect(end == .closedByPeer(.init(code: code, reason: reason)))
            }
        }
    }

    @Test("A player whose peer does not answer is BORED (4)")
    func bored() async throws {
        try await Self.run { test in
            // The record never plays.
            let outcome = try await test.webTransport("/test/record?token=quiet") { session in
                try await BatonPlayer.playing(session, baton: 1, count: 1, patience: .milliseconds(50)).play()
            }
            #expect(outcome.end == .closedLocally(.init(code: 4, reason: "BORED")))
            #expect(!outcome.isComplete)
        }
    }

    @Test("A player whose peer allows no stream ends the session with DA_YAMN (1)")
    func daYamn() async throws {
        try await TestServer.run {
            $0.testEndpoints = true
            // As many as HTTP/3 itself needs of the unidirectional ones (RFC 9114 § 6.2).
            $0.transport.maxStreams = 3
        } _: { test in
            // Half of the patience is for a stream: the other half is the margin on a busy machine.
            let outcome = try await test.webTransport("/test/record?token=full") { session in
                try await BatonPlayer.serving(session, baton: 10, count: 1, patience: .seconds(4)).play()
            }
            #expect(outcome.end == .closedLocally(.init(code: 1, reason: "DA_YAMN")))
        }
    }

    @Test("A baton whose stream is reset is lost, and the session with the last one")
    func lostOnTheWay() async throws {
        try await Self.run { test in
            let end = try await test.webTransport(Self.path + "?baton=10") { session in
                let stream = try await session.openBidirectionalStream()
                stream.outbound.reset(code: BatonGame.StreamCode.iLied.rawValue)
                return try await session.closed
            }
            #expect(end == .closedByPeer(.init()))
        }
    }
}
