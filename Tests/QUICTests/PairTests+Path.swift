import NIOCore
import QUIC
import Testing

// What the path between the two does: other addresses, other sizes, marks.

extension PairTests {
    @Test("The connection survives a new port of the client, after the path was validated (RFC 9000 § 9)")
    func rebinding() throws {
        let pair = try Pair()
        try #require(pair.run { $0.isEstablished })
        pair.run(for: .seconds(1))
        pair.rebindClient(port: 50_001)
        let id = try pair.clientConnection.openStream(.unidirectional)
        pair.clientConnection.write(ByteBuffer(repeating: 1, count: 50_000), to: id, finish: true)
        #expect(pair.run(for: .seconds(10)) { Pair.received($0.serverEvents, on: id).isFinal })
        pair.run(for: .seconds(2))
        #expect(pair.serverConnection!.path.remote.port == 50_001)
    }

    @Test("Path-MTU discovery raises the largest datagram (RFC 8899)")
    func pathMTU() throws {
        let pair = try Pair()
        try #require(pair.run { $0.isEstablished })
        let before = pair.clientConnection.maxDatagramSize
        let id = try pair.clientConnection.openStream(.unidirectional)
        pair.clientConnection.write(ByteBuffer(repeating: 1, count: 200_000), to: id, finish: true)
        pair.run(for: .seconds(10))
        #expect(pair.clientConnection.maxDatagramSize > before)
    }

    @Test(
        "A stream goes on when the path no longer carries large packets (RFC 8899 § 4.3), whichever end sends",
        arguments: [true, false]
    )
    func blackHole(clientSends: Bool) throws {
        let pair = try Pair()
        try #require(pair.run { $0.isEstablished })
        let id = try pair.clientConnection.openStream(.bidirectional)
        pair.clientConnection.write(ByteBuffer(repeating: 1, count: 200_000), to: id, finish: !clientSends)
        pair.run(for: .seconds(10))
        let sender: Connection = clientSends ? pair.clientConnection : pair.serverConnection!
        if !clientSends {
            sender.write(ByteBuffer(repeating: 2, count: 200_000), to: id)
            pair.run(for: .seconds(10))
        }
        let wide = sender.maxDatagramSize
        #expect(wide > 1300)
        pair.loses = { $0.count > 1200 }
        sender.write(ByteBuffer(repeating: 3, count: 200_000), to: id, finish: true)
        let receives = { (pair: Pair) in Pair.received(clientSends ? pair.serverEvents : pair.clientEvents, on: id) }
        #expect(pair.run(for: .seconds(10)) { receives($0).isFinal })
        #expect(receives(pair).bytes.count == 400_000)
        // Datagrams fit the narrow path, too.
        #expect(sender.maxDatagramSize < 1200)
        let size = sender.maxDatagramSize
        let receiver: Connection = clientSends ? pair.serverConnection! : pair.clientConnection
        for _ in 0..<10 {
            // With something to acknowledge, which may not share the packet.
            _ = receiver.sendDatagram(header: ByteBuffer(), payload: ByteBuffer(string: "x"))
            pair.run(for: .milliseconds(11))
            _ = sender.sendDatagram(header: ByteBuffer(), payload: ByteBuffer(repeating: 4, count: size))
            pair.run(for: .milliseconds(50))
        }
        let sizes = Pair.datagrams(clientSends ? pair.serverEvents : pair.clientEvents).map(\.count)
        #expect(sizes == [Int](repeating: size, count: 10))
    }

    @Test("After an outage packets are as large as before")
    func outageIsNoBlackHole() throws {
        let pair = try Pair()
        try #require(pair.run { $0.isEstablished })
        let id = try pair.clientConnection.openStream(.unidirectional)
        pair.clientConnection.write(ByteBuffer(repeating: 1, count: 200_000), to: id)
        pair.run(for: .seconds(10))
        let wide = pair.clientConnection.maxDatagramSize
        pair.clientConnection.write(ByteBuffer(repeating: 2, count: 200_000), to: id, finish: true)
        pair.run(for: .milliseconds(5))
        pair.loses = { _ in true }
        pair.run(for: .seconds(3))
        pair.loses = { _ in false }
        #expect(pair.run(for: .seconds(20)) { Pair.received($0.serverEvents, on: id).isFinal })
        #expect(pair.clientConnection.maxDatagramSize == wide)
        #expect(pair.datagramsToServer.suffix(20).contains { $0.count > 1300 })
    }

    @Test("Packets are marked ECT(0), and marks of congestion keep the sender's window small (RFC 9002 § 7.1)")
    func explicitCongestionNotification() throws {
        /// The window after half a megabyte, of which the second part may meet congestion.
        func window(congested: Bool) throws -> UInt64 {
            let pair = try Pair()
            try #require(pair.run { $0.isEstablished })
            let id = try pair.clientConnection.openStream(.unidirectional)
            pair.clientConnection.write(ByteBuffer(repeating: 1, count: 100_000), to: id)
            pair.run(for: .seconds(2))
            // ECT(0) is 0b10, congestion experienced 0b11 (RFC 3168 § 5).
            #expect(pair.sentECN.contains(2))
            if congested { pair.arrivingECN = 3 }
            pair.clientConnection.write(ByteBuffer(repeating: 1, count: 400_000), to: id, finish: true)
            #expect(pair.run(for: .minutes(1)) { Pair.received($0.serverEvents, on: id).isFinal })
            return pair.clientConnection.pathStatistics.congestionWindow
        }
        let (marked, unmarked) = (try window(congested: true), try window(congested: false))
        #expect(marked < unmarked)
    }
}
