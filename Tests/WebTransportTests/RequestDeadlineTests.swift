import HTTP3
import HTTPSemantics
import HTTPTypes
import NIOCore
import QUIC
import Testing

@testable import WebTransport

@Suite("The time of a request [38]", .timeLimit(.minutes(1))) struct RequestDeadlineTests {
    /// A server that gives requests little time.
    private func withPeer(_ body: @Sendable (RawPeer.Handle) async throws -> Void) async throws {
        try await Loopback.withServer {
            $0.requestTimeout = .milliseconds(200)
            $0.resources = { _ in .text(.ok, "here") }
        } handler: { session in
            for await datagram in session.datagrams { _ = try await session.datagrams.send(datagram) }
        } _: { _, client in
            try await RawPeer.withPeer(of: client, body)
        }
    }

    /// A HEADERS frame of 64 bytes that never end.
    private static let beginning: [UInt8] = [0x01, 0x40, 0x40, 0x00, 0x00]

    private func isEchoed(_ peer: RawPeer.Handle) async throws {
        try await peer.perform { $0.send(datagram: [0x00, 0x2a]) }
        try await peer.wait { $0.datagrams.contains(ByteBuffer(bytes: [0x00, 0x2a])) || $0.closeReason != nil }
        #expect(try await peer.perform { $0.closeReason } == nil)
    }

    @Test(
        "A request that does not arrive ends with H3_REQUEST_INCOMPLETE, whether a session is open or not",
        arguments: [true, false],
        [beginning, [0x40], [0x40, 0x41]]
    )
    func headers(hasSession: Bool, beginning: [UInt8]) async throws {
        try await self.withPeer { peer in
            if hasSession {
                let session = try await peer.perform { try $0.connect() }
                try await peer.wait { $0.responses[session] != nil }
            }
            let stream = try await peer.perform { peer in
                let stream = try peer.openStream(.bidirectional)
                peer.write(beginning, to: stream)
                return stream
            }
            try await peer.wait { ($0.stops[stream] ?? 0) != 0 && $0.resets[stream] != nil || $0.closeReason != nil }
            let (stop, reset, session) = try await peer.perform { ($0.stops[stream], $0.resets[stream], $0.resets[0]) }
            #expect(stop == HTTP3.HTTP3ErrorCode.requestIncomplete.rawValue)
            #expect(reset == HTTP3.HTTP3ErrorCode.requestIncomplete.rawValue)
            // The session began before the request did, and is no request that is late.
            if hasSession {
                #expect(session == nil)
                try await self.isEchoed(peer)
            }
        }
    }

    @Test("RFC 9114 § 4.1: the body of a request is stopped with H3_NO_ERROR when it takes too long, or is too long")
    func body() async throws {
        try await self.withPeer { peer in
            let session = try await peer.perform { try $0.connect() }
            try await peer.wait { $0.responses[session] != nil }
            for bytes in [[], [UInt8](repeating: 0, count: HTTPRequest.maximumBody + 1)] {
                let stream = try await peer.perform { peer in
                    let stream = try peer.openStream(.bidirectional)
                    let request = HTTPRequest(method: .get, scheme: "https", authority: "a", path: "/")
                    try peer.http3.submit(request, on: stream, isFinal: false)
                    peer.http3.send(ByteBuffer(bytes: bytes), on: stream)
                    return stream
                }
                try await peer.wait { $0.stops[stream] != nil && $0.finished.contains(stream) || $0.closeReason != nil }
                let (stop, response) = try await peer.perform { ($0.stops[stream], $0.responses[stream]) }
                #expect(stop == HTTP3.HTTP3ErrorCode.h3NoError.rawValue)
                #expect(response?.status == .ok)
            }
            try await self.isEchoed(peer)
        }
    }

    @Test("Each request has the same time, from its beginning") func bookkeeping() {
        let start = NIODeadline.uptimeNanoseconds(1)
        var deadlines = RequestDeadlines()
        #expect(deadlines.next == nil)
        for id in 0..<4 as Range<Int64> {
            deadlines.requestBegan(StreamID(rawValue: 4 * id), until: start + .seconds(id))
        }
        deadlines.requestEnded(StreamID(rawValue: 0))
        #expect(deadlines.next == start, "nobody looks for the next one when one ends")
        #expect(deadlines.takeOverdue(at: start) == [])
        #expect(deadlines.next == start + .seconds(1))
        #expect(Set(deadlines.takeOverdue(at: start + .seconds(2))) == [StreamID(rawValue: 4), StreamID(rawValue: 8)])
        #expect(deadlines.next == start + .seconds(3))
        deadlines.requestEnded(StreamID(rawValue: 12))
        deadlines.requestEnded(StreamID(rawValue: 12))
        #expect(deadlines.next == nil)
    }
}
