import ApusServer
import Foundation
import HTTPTypes
import NIOCore
import Testing
import WebSocket
import WebTransport

// What one session leaves behind and another asks for.

extension TestEndpointTests {
    @Test("/test/record notes how streams and the session end, and /test/query waits for it and tells")
    func record() async throws {
        try await Self.run { test in
            try await test.webTransport("/test/record?token=a") { session in
                let whole = try await session.openUnidirectionalStream()
                try await whole.write(ByteBuffer(string: "whole"))
                whole.finish()
                let record = try await Self.json(Record.self, "/test/query?token=a&streams=1", of: test)
                #expect(record.streams.map(\.end) == ["finished"])
                #expect(record.streams.map(\.bytes) == [5])
                #expect(record.end == nil)
                let broken = try await session.openBidirectionalStream()
                try await broken.outbound.write(ByteBuffer(string: "x"))
                broken.outbound.reset(code: 99)
                _ = try await Self.json(Record.self, "/test/query?token=a&streams=2", of: test)
                session.close(code: 7, reason: "enough")
            }
            let record = try await Self.json(Record.self, "/test/query?token=a&session=1", of: test)
            #expect(record.sessions == 1)
            #expect(record.streams.map(\.kind) == ["unidirectional", "bidirectional"])
            #expect(record.streams.map(\.end) == ["finished", "reset"])
            #expect(record.streams.map(\.code) == [nil, 99])
            #expect(record.end?.code == 7)
            #expect(record.end?.reason == "enough")
            #expect(record.end?.isAbnormal == false)
        }
    }

    @Test("/test/record with write=1 notes with which code the client stops its streams")
    func recordStop() async throws {
        try await Self.run { test in
            try await test.webTransport("/test/record?token=a&write=1") { session in
                for await stream in session.incomingUnidirectionalStreams {
                    var chunks = stream.makeAsyncIterator()
                    _ = try await chunks.next()
                    // While it is iterated: whoever stops iterating has stopped it already, with 0.
                    stream.stop(code: 31)
                    withExtendedLifetime(chunks) {}
                    break
                }
                let record = try await Self.json(Record.self, "/test/query?token=a&streams=1", of: test)
                #expect(record.streams.map(\.end) == ["stopped"])
                #expect(record.streams.map(\.kind) == ["unidirectional"])
                #expect(record.streams.map(\.code) == [31])
            }
        }
    }

    @Test("A query may be left before it is answered; of a token that is not known there is an empty record")
    func queryInVain() async throws {
        try await Self.run { test in
            try await test.webTransport("/test/query?token=nobody&session=1") { _ in }
            let record = try await Self.json(Record.self, "/test/query?token=nobody", of: test)
            #expect(record.sessions == 0)
        }
    }

    @Test("/test/count counts the sessions of each token")
    func count() async throws {
        try await Self.run { test in
            for (token, number) in [("a", "1"), ("a", "2"), ("b", "1"), ("a", "3")] {
                let answer = try await test.webTransport("/test/count?token=\(token)") { try await Self.answer($0) }
                #expect(answer == number)
            }
        }
    }

    // MARK: Refusals
}
