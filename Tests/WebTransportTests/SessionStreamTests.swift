import HTTP3
import HTTPTypes
import NIOCore
import QUIC
import Testing
import WebTransport

@Suite("The CONNECT stream of a raw client (draft-ietf-webtrans-http3 § 6)", .timeLimit(.minutes(1)))
struct SessionStreamTests {
    private static let bye = Capsule(.closeSession, payload: SessionClose(code: 7, reason: "bye").payload).encoded

    private static func withRawSession(
        _ body: @escaping @Sendable (RawPeer.Handle, Int64) async throws -> Void
    ) async throws -> WebTransportSession.End {
        let end = Handover<WebTransportSession.End>()
        let ended = Handover<WebTransportSession.End>()
        try await Loopback.withServer { session in
            end.set(try await session.closed)
        } _: { _, client in
            try await RawPeer.withPeer(of: client) { peer in
                let session = try await peer.perform { try $0.connect() }
                try await peer.wait { $0.responses[session] != nil }
                try await body(peer, session)
                ended.set(try await end.value)
            }
        }
        return try await ended.value
    }

    @Test("WT_CLOSE_SESSION in pieces of one byte ends the session, and FIN answers it")
    func closeInPieces() async throws {
        let end = try await Self.withRawSession { peer, session in
            for byte in Self.bye.readableBytesView {
                try await peer.perform { $0.http3.send(ByteBuffer(bytes: [byte]), on: session) }
            }
            try await peer.wait { $0.finished.contains(session) }
        }
        #expect(end == .closedByPeer(.init(code: 7, reason: "bye")))
    }

    @Test("FIN alone means code 0 and no reason")
    func finOnly() async throws {
        let end = try await Self.withRawSession { peer, session in
            try await peer.perform { $0.http3.send(ByteBuffer(), on: session, isFinal: true) }
            try await peer.wait { $0.finished.contains(session) }
        }
        #expect(end == .closedByPeer(.init()))
    }

    @Test("Bytes after WT_CLOSE_SESSION reset the stream with H3_MESSAGE_ERROR", arguments: [true, false])
    func bytesAfterClose(together: Bool) async throws {
        let end = try await Self.withRawSession { peer, session in
            if together {
                var bytes = Self.bye
                bytes.writeBytes([0x29, 0x00])
                let both = bytes
                try await peer.perform { $0.http3.send(both, on: session) }
            } else {
                try await peer.perform { $0.http3.send(Self.bye, on: session) }
                try await peer.wait { $0.finished.contains(session) }
                try await peer.perform { $0.http3.send(ByteBuffer(bytes: [0x29, 0x00]), on: session) }
            }
            try await peer.wait { $0.resets[session] != nil || $0.stops[session] != nil }
            try await peer.perform { #expect($0.resets[session] == 0x10e || $0.stops[session] == 0x10e) }
        }
        #expect(end == .closedByPeer(.init(code: 7, reason: "bye")))
    }

    @Test(
        "A WT_CLOSE_SESSION that is too short, too long or not UTF-8 is H3_MESSAGE_ERROR",
        arguments: [
            [0, 0, 0], [0, 0, 0, 0, 0xff], [UInt8](repeating: 0x61, count: 4 + 1025),
        ] as [[UInt8]]
    )
    func malformedClose(payload: [UInt8]) async throws {
        let end = try await Self.withRawSession { peer, session in
            let capsule = Capsule(.closeSession, payload: ByteBuffer(bytes: payload)).encoded
            try await peer.perform { $0.http3.send(capsule, on: session) }
            try await peer.wait { $0.resets[session] != nil }
            try await peer.perform { #expect($0.resets[session] == 0x10e) }
        }
        guard case .abnormal = end else {
            Issue.record("\(end)")
            return
        }
    }

    @Test("Capsules of unknown types pass without a trace (RFC 9297 § 3.3)")
    func unknownCapsules() async throws {
        let end = try await Self.withRawSession { peer, session in
            let grease = Capsule(.init(rawValue: 0x29), payload: ByteBuffer(repeating: 1, count: 100_000)).encoded
            try await peer.perform { peer in
                peer.http3.send(grease, on: session)
                peer.http3.send(Self.bye, on: session, isFinal: true)
            }
        }
        #expect(end == .closedByPeer(.init(code: 7, reason: "bye")))
    }

    @Test("A reset of the CONNECT stream is an abnormal end")
    func reset() async throws {
        let end = try await Self.withRawSession { peer, session in
            try await peer.perform { $0.quic.reset(.init(rawValue: session), code: 0x10c) }
        }
        #expect(end == .abnormal("the peer reset the session with HTTP/3 code 0x10c"))
    }

    @Test("A CONNECT before SETTINGS is held with all that follows it, and begins when they are in (§ 3.1)")
    func connectBeforeSettings() async throws {
        let end = Handover<WebTransportSession.End>()
        try await Loopback.withServer { session in
            end.set(try await session.closed)
        } _: { _, client in
            try await RawPeer.withPeer(of: client, sendsSettings: false) { peer in
                // CONNECT with the static table and literals, then DATA with the capsule, and FIN.
                let connect = RawRequest.connect
                let session = try await peer.perform { peer in
                    let session = try peer.openStream(.bidirectional)
                    let data = [0x00, UInt8(Self.bye.readableBytes)] + Array(Self.bye.readableBytesView)
                    peer.write(connect + data, to: session, finish: true)
                    return session
                }
                // The server has acknowledged it all by the time its own SETTINGS are here.
                try await peer.wait { $0.received[3] != nil }
                try await peer.wait { $0.quic.unacknowledgedByteCount(of: .init(rawValue: session)) == 0 }
                try await peer.perform { #expect($0.received[session] == nil) }
                try await peer.perform { try $0.startHTTP3() }
                try await peer.wait { $0.finished.contains(session) }
                #expect(try await end.value == .closedByPeer(.init(code: 7, reason: "bye")))
            }
        }
    }

    @Test("A CONNECT that is reset before SETTINGS leaves the connection usable")
    func resetBeforeSettings() async throws {
        try await Loopback.withServer { session in
            _ = try await session.closed
        } _: { _, client in
            try await RawPeer.withPeer(of: client, sendsSettings: false) { peer in
                let session = try await peer.perform { peer in
                    let session = try peer.openStream(.bidirectional)
                    peer.write(RawRequest.connect, to: session)
                    return session
                }
                try await peer.wait { $0.quic.unacknowledgedByteCount(of: .init(rawValue: session)) == 0 }
                try await peer.perform { peer in
                    peer.quic.reset(.init(rawValue: session), code: 0x10c)
                    peer.quic.stopSending(.init(rawValue: session), code: 0x10c)
                }
                try await peer.perform { try $0.startHTTP3() }
                let second = try await peer.perform { try $0.connect() }
                try await peer.wait { $0.responses[second] != nil || $0.closeReason != nil }
                try await peer.perform { #expect($0.responses[second]?.status == .ok) }
            }
        }
    }

    @Test("The type of the control stream may take more than one byte (RFC 9000 § 16)", arguments: [1, 2, 4, 8])
    func longControlType(length: Int) async throws {
        try await Loopback.withServer(handler: { _ = try await $0.closed }) { _, client in
            try await RawPeer.withPeer(of: client, sendsSettings: false) { peer in
                let session = try await peer.perform { peer in
                    let prefix: UInt8 = [1: 0x00, 2: 0x40, 4: 0x80, 8: 0xc0][length]!
                    let type = [prefix] + [UInt8](repeating: 0, count: length - 1)
                    peer.write(type + [0x04, 0x02, 0x33, 0x01], to: try peer.openStream(.unidirectional))
                    let session = try peer.openStream(.bidirectional)
                    peer.write(RawRequest.connect, to: session)
                    return session
                }
                try await peer.wait { $0.received[session] != nil || $0.closeReason != nil }
                // An answer: the server has understood the SETTINGS, for which the CONNECT had to wait.
                try await peer.perform { #expect($0.received[session] != nil && $0.closeReason == nil) }
            }
        }
    }
}

/// Requests as bytes, for clients without HTTP/3 state.
enum RawRequest {
    /// A HEADERS frame: `:method` CONNECT, `:protocol` webtransport, `:scheme` https, `:authority` a, `:path` /.
    static var connect: [UInt8] {
        // RFC 9204 § 4.5.6: a literal name of nine bytes takes a length of 7 and more, with a 3-bit prefix.
        let name = Array(":protocol".utf8)
        let value = Array("webtransport".utf8)
        var section: [UInt8] = [0x00, 0x00, 0xc0 | 15, 0xc0 | 23, 0xc0 | 1, 0x50, 0x01, 0x61]
        section += [0x27, UInt8(name.count - 7)] + name + [UInt8(value.count)] + value
        return [0x01, UInt8(section.count)] + section
    }
}
