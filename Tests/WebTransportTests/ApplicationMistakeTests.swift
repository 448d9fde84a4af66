import HTTPSemantics
import HTTPTypes
import LoopConcurrency
import NIOCore
import NIOPosix
import Testing
import WebTransport

/// Mistakes are paid for by the session that makes them: all sessions of a server share its process.
@Suite("What an application does wrong", .timeLimit(.minutes(1)))
struct ApplicationMistakeTests {
    @Test("Streams may be taken in several loops: the first as a control stream, then the others")
    func severalLoops() async throws {
        try await Loopback.withServer { session in
            for await stream in session.incomingUnidirectionalStreams {
                let greeting = try await stream.collect()
                #expect(String(buffer: greeting) == "control")
                break
            }
            for await stream in session.incomingUnidirectionalStreams {
                let reply = try await session.openUnidirectionalStream()
                try await reply.write(try await stream.collect())
                reply.finish()
            }
        } _: { _, client in
            try await client.withSession { session in
                for text in ["control", "data"] {
                    let stream = try await session.openUnidirectionalStream()
                    try await stream.write(ByteBuffer(string: text))
                    stream.finish()
                }
                for await stream in session.incomingUnidirectionalStreams {
                    #expect(String(buffer: try await stream.collect()) == "data")
                    break
                }
            }
        }
    }

    @Test("A stream may be read in several loops: its first bytes, then the others")
    func severalReaders() async throws {
        try await Loopback.withServer(handler: Loopback.echo) { _, client in
            try await client.withSession { session in
                let stream = try await session.openBidirectionalStream()
                try await stream.outbound.write(ByteBuffer(string: "first"))
                for try await bytes in stream.inbound {
                    #expect(String(buffer: bytes) == "first")
                    break
                }
                try await stream.outbound.write(ByteBuffer(string: "second"))
                stream.outbound.finish()
                #expect(String(buffer: try await stream.inbound.collect()) == "second")
            }
        }
    }

    @Test("Who reads late gets all that has come meanwhile, though the stream has not ended")
    func lateReader() async throws {
        let (pieces, size) = (300, 1_000)
        try await Loopback.withServer { session in
            var streams = session.incomingUnidirectionalStreams.makeAsyncIterator()
            guard let first = await streams.next(), let second = await streams.next() else { return }
            // Their pieces have come in turn: the other stream's are here.
            let ended = try await second.collect()
            #expect(ended.readableBytes == pieces * size)
            var count = 0
            for try await bytes in first {
                count += bytes.readableBytes
                if count == pieces * size { break }
            }
            try await session.openUnidirectionalStream().write(ByteBuffer(integer: count))
            _ = try await session.closed
        } _: { _, client in
            try await client.withSession { session in
                let first = try await session.openUnidirectionalStream()
                let second = try await session.openUnidirectionalStream()
                for _ in 0..<pieces {
                    for stream in [first, second] { try await stream.write(ByteBuffer(repeating: 1, count: size)) }
                }
                second.finish()
                var replies = session.incomingUnidirectionalStreams.makeAsyncIterator()
                let reply = try #require(await replies.next())
                var bytes = reply.makeAsyncIterator()
                #expect(try await bytes.next() == ByteBuffer(integer: pieces * size))
            }
        }
    }

    @Test("Who cancels a task that waits for datagrams may take them itself at once, on the loop and elsewhere")
    func datagramsAgain() async throws {
        try await Loopback.withServer { session in
            let reader = Task(executorPreference: EventLoopTaskExecutor(session.eventLoop)) {
                for await _ in session.datagrams {}
            }
            // It begins to wait.
            await Task.yield()
            reader.cancel()
            for await datagram in session.datagrams { try await session.datagrams.send(datagram) }
        } _: { _, client in
            try await client.withSession { session in
                var iterator = session.datagrams.makeAsyncIterator()
                try await session.datagrams.send(ByteBuffer(string: "x"))
                #expect(await iterator.next() == ByteBuffer(string: "x"))
            }
        }
    }

    @Test("A handler that sends datagrams without a pause holds up no other session of its loop")
    func blast() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        try await Loopback.withServer(on: group) { session in
            guard session.request.path == "/blast" else { return try await Loopback.echo(session) }
            while try await session.datagrams.send(ByteBuffer(repeating: 1, count: 100)) != .unavailable {}
        } _: { _, client in
            try await client.withSession("/blast") { _ in
                try await client.withSession { session in
                    let stream = try await session.openBidirectionalStream()
                    try await stream.outbound.write(ByteBuffer(string: "served"))
                    stream.outbound.finish()
                    #expect(String(buffer: try await stream.inbound.collect()) == "served")
                }
            }
        }
        try await group.shutdownGracefully()
    }

    @Test("A session that is accepted with a status that refuses it is refused, with 500")
    func acceptedWithout2xx() async throws {
        try await Loopback.withServer(
            configure: { configuration in
                configuration.admission = { request in
                    request.path == "/missing" ? .accept(status: .notFound) : .accept()
                }
            },
            handler: Loopback.echo
        ) { _, client in
            await #expect {
                try await client.withSession("/missing") { _ in }
            } throws: { "\($0)".contains("500") }
            try await client.withSession { _ in }
        }
    }

    @Test("A limit that is none is no limit", arguments: [Int.max, 10])
    func noLimit(sessions: Int) async throws {
        try await Loopback.withServer(
            configure: { configuration in
                configuration.maxSessions = sessions
                configuration.transport.maxStreams = sessions
            },
            handler: Loopback.echo
        ) { _, client in
            try await client.withSession { _ in }
        }
    }
}
