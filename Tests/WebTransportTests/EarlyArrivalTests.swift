import HTTP3
import HTTPSemantics
import HTTPTypes
import NIOCore
import QUIC
import Testing
import WebTransport

@Suite("What arrives before, after, or without its session", .timeLimit(.minutes(1)))
struct EarlyArrivalTests {
    /// The ID of the first CONNECT stream, in its one byte, and the headers of its streams.
    private static let unidirectional: [UInt8] = [0x40, 0x54, 0x00]
    private static let bidirectional: [UInt8] = [0x40, 0x41, 0x00]

    @Test("Streams and datagrams that overtake their CONNECT are delivered after it (draft-ietf-webtrans-http3 § 4.6)")
    func early() async throws {
        try await Loopback.withServer(handler: Loopback.echo) { _, client in
            try await RawPeer.withPeer(of: client) { peer in
                let (stream, session) = try await peer.perform { peer in
                    let session = try peer.openStream(.bidirectional)
                    let stream = try peer.openStream(.bidirectional)
                    peer.write(Self.bidirectional + Array("early ".utf8), to: stream)
                    peer.write(
                        Self.unidirectional + Array("one way".utf8),
                        to: try peer.openStream(.unidirectional),
                        finish: true
                    )
                    peer.send(datagram: [0x00] + Array("datagram".utf8))
                    return (stream, session)
                }
                // A round trip later, what was sent first has arrived, and nothing has come of it.
                let probe = try await peer.perform { peer in
                    let id = try peer.openStream(.bidirectional)
                    try peer.http3.submit(
                        .init(method: .get, scheme: "https", authority: "a", path: "/"),
                        on: id,
                        isFinal: true
                    )
                    return id
                }
                try await peer.wait { $0.finished.contains(probe) }
                try await peer.perform { #expect($0.received[stream] == nil && $0.datagrams.isEmpty) }

                try await peer.perform { peer in
                    try peer.connect(on: session)
                    peer.write(Array("late".utf8), to: stream, finish: true)
                }
                try await peer.wait { $0.finished.contains(stream) }
                try await peer.wait { !$0.datagrams.isEmpty }
                // The server's first stream behind those of HTTP/3.
                try await peer.wait { $0.finished.contains(15) }
                try await peer.perform { peer in
                    #expect(peer.responses[session]?.status == .ok)
                    #expect(peer.received[stream] == ByteBuffer(string: "early late"))
                    #expect(peer.datagrams == [ByteBuffer(bytes: [0x00] + Array("datagram".utf8))])
                    #expect(peer.received[15] == ByteBuffer(bytes: Self.unidirectional + Array("one way".utf8)))
                }
            }
        }
    }

    @Test("Beyond 24, a stream without its session is rejected with WT_BUFFERED_STREAM_REJECTED")
    func tooManyEarly() async throws {
        try await Loopback.withServer(handler: Loopback.echo) { _, client in
            try await RawPeer.withPeer(of: client) { peer in
                let streams = try await peer.perform { peer in
                    let session = try peer.openStream(.bidirectional)
                    let streams = try (0..<26).map { _ in try peer.openStream(.bidirectional) }
                    for stream in streams { peer.write(Self.bidirectional + [7], to: stream) }
                    return [session] + streams
                }
                let rejected = Array(streams.suffix(2))
                try await peer.wait { peer in rejected.allSatisfy { peer.resets[$0] != nil } }
                try await peer.perform { peer in
                    #expect(peer.resets == [rejected[0]: 0x3994_bd84, rejected[1]: 0x3994_bd84])
                    try peer.connect(on: streams[0])
                    for stream in streams.dropFirst() { peer.write([8], to: stream, finish: true) }
                }
                let held = streams.dropFirst().dropLast(2)
                try await peer.wait { peer in held.allSatisfy { peer.finished.contains($0) } }
                try await peer.perform { peer in
                    #expect(held.allSatisfy { peer.received[$0] == ByteBuffer(bytes: [7, 8]) })
                }
            }
        }
    }

    @Test("Streams of a session that has ended are reset with WT_SESSION_GONE (draft-ietf-webtrans-http3 § 4.6, § 6)")
    func sessionGone() async throws {
        try await Loopback.withServer { session in
            // It ends while streams of it are open: one that nobody has taken, and one that comes later.
            for await _ in session.datagrams { return }
        } _: { _, client in
            try await RawPeer.withPeer(of: client) { peer in
                let (session, open) = try await peer.perform { peer in
                    let session = try peer.connect()
                    let open = try peer.openStream(.bidirectional)
                    peer.write(Self.bidirectional + [1], to: open)
                    return (session, open)
                }
                try await peer.wait { $0.responses[session] != nil }
                try await peer.perform { $0.send(datagram: [0x00]) }
                try await peer.wait { $0.finished.contains(session) }
                let late = try await peer.perform { peer in
                    let late = try peer.openStream(.bidirectional)
                    peer.write(Self.bidirectional + [1], to: late)
                    return late
                }
                try await peer.wait { $0.resets[open] != nil && $0.resets[late] != nil }
                try await peer.perform { peer in
                    #expect(peer.resets == [open: 0x170d_7b68, late: 0x170d_7b68])
                    #expect(peer.closeReason == nil)
                }
            }
        }
    }

    @Test("Streams of a session that was refused are reset with WT_SESSION_GONE")
    func refusedSession() async throws {
        try await Loopback.withServer(configure: { $0.admission = { _ in .refuse(.notFound, reason: "no") } }) { _ in
        } _: { _, client in
            try await RawPeer.withPeer(of: client) { peer in
                let (session, early) = try await peer.perform { peer in
                    let session = try peer.openStream(.bidirectional)
                    let early = try peer.openStream(.bidirectional)
                    peer.write(Self.bidirectional + [1], to: early)
                    try peer.connect(on: session)
                    return (session, early)
                }
                try await peer.wait { $0.resets[early] != nil }
                try await peer.perform { peer in
                    #expect(peer.resets[early] == 0x170d_7b68)
                    #expect(peer.responses[session]?.status == .notFound)
                }
            }
        }
    }

    @Test(
        "A session ID that is no client's bidirectional stream closes the connection with H3_ID_ERROR",
        arguments: [1, 2, 3, 63] as [UInt8]
    )
    func impossibleSession(id: UInt8) async throws {
        for signal in [0x41, 0x54] as [UInt8] {
            try await Loopback.withServer(handler: Loopback.echo) { _, client in
                try await RawPeer.withPeer(of: client) { peer in
                    try await peer.perform { peer in
                        let stream = try peer.openStream(signal == 0x41 ? .bidirectional : .unidirectional)
                        peer.write([0x40, signal, id], to: stream)
                    }
                    let code = try await peer.closeCode()
                    #expect(code == 0x108)
                }
            }
        }
    }

    @Test(
        "A datagram without a whole or with an impossible session ID closes the connection with H3_DATAGRAM_ERROR",
        arguments: [[], [0x40], [0xd0, 0, 0, 0, 0, 0, 0, 0]] as [[UInt8]]
    )
    func malformedDatagram(frame: [UInt8]) async throws {
        try await Loopback.withServer(handler: Loopback.echo) { _, client in
            try await RawPeer.withPeer(of: client) { peer in
                try await peer.perform { $0.send(datagram: frame) }
                let code = try await peer.closeCode()
                #expect(code == 0x33)
            }
        }
    }
}
