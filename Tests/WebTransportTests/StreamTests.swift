import HTTPTypes
import NIOCore
import NIOPosix
import Testing
import WebTransport

@Suite("Streams over loopback", .timeLimit(.minutes(5)))
struct StreamTests {
    @Test("Bytes of a bidirectional stream come back on it, and its end too", arguments: [0, 1, 5, 70_000, 3_000_000])
    func bidirectional(size: Int) async throws {
        try await Loopback.withServer(handler: Loopback.echo) { _, client in
            try await client.withSession { session in
                let stream = try await session.openBidirectionalStream()
                let sent = ByteBuffer(bytes: (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) })
                async let received = stream.inbound.collect()
                try await stream.outbound.write(sent)
                stream.outbound.finish()
                #expect(try await received == sent)
            }
        }
    }

    /// Writes blocks of 64 KiB, each of which says which one it is.
    private static func write(_ count: Int, to stream: WebTransportSendStream) async throws {
        for number in 0..<count {
            try await stream.write(ByteBuffer(repeating: UInt8(truncatingIfNeeded: number), count: 1 << 16))
        }
        stream.finish()
    }

    /// Reads them to the end of the stream.
    /// - Returns: how many bytes came before one was wrong.
    private static func read(from stream: WebTransportReceiveStream) async throws -> Int {
        var count = 0
        for try await var chunk in stream {
            while chunk.readableBytes > 0 {
                let number = count >> 16
                // What belongs to that block; as much is there.
                let length = min(chunk.readableBytes, (number + 1) << 16 - count)
                let expected = ByteBuffer(repeating: UInt8(truncatingIfNeeded: number), count: length)
                guard chunk.readSlice(length: length) == expected else { return count }
                count += length
            }
        }
        return count
    }

    @Test("64 MiB go one way, the stream is closed in that direction, and 64 MiB come back [19]")
    func largeHalves() async throws {
        let blocks = 1024
        // Of its own: others share the loops of all tests.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        try await Loopback.withServer(on: group) { session in
            for await stream in session.incomingBidirectionalStreams {
                #expect(try await Self.read(from: stream.inbound) == blocks << 16)
                try await Self.write(blocks, to: stream.outbound)
            }
        } _: { _, client in
            try await client.withSession { session in
                let stream = try await session.openBidirectionalStream()
                try await Self.write(blocks, to: stream.outbound)
                #expect(try await Self.read(from: stream.inbound) == blocks << 16)
            }
        }
        try await group.shutdownGracefully()
    }

    @Test("Bytes of a unidirectional stream come back on one that the server opens")
    func unidirectional() async throws {
        try await Loopback.withServer(handler: Loopback.echo) { _, client in
            try await client.withSession { session in
                let stream = try await session.openUnidirectionalStream()
                try await stream.write(ByteBuffer(string: "one way"))
                stream.finish()
                for await reply in session.incomingUnidirectionalStreams {
                    #expect(try await reply.collect() == ByteBuffer(string: "one way"))
                    break
                }
            }
        }
    }

    @Test("Data flows in one direction after the other has ended (half-close)")
    func halfClose() async throws {
        try await Loopback.withServer { session in
            for await stream in session.incomingBidirectionalStreams {
                let request = try await stream.inbound.collect()
                try await stream.outbound.write(ByteBuffer(string: "after \(request.readableBytes)"))
                stream.outbound.finish()
            }
        } _: { _, client in
            try await client.withSession { session in
                let stream = try await session.openBidirectionalStream()
                try await stream.outbound.write(ByteBuffer(string: "12345"))
                stream.outbound.finish()
                #expect(try await stream.inbound.collect() == ByteBuffer(string: "after 5"))
            }
        }
    }

    @Test("A reset carries the application's code to the reader", arguments: [0, 29, 30, 255, 0xffff_ffff] as [UInt32])
    func reset(code: UInt32) async throws {
        let seen = Handover<UInt32?>()
        try await Loopback.withServer { session in
            for await stream in session.incomingUnidirectionalStreams {
                do {
                    _ = try await stream.collect()
                } catch let error as WebTransportError {
                    seen.set(error.applicationCode)
                }
            }
        } _: { _, client in
            try await client.withSession { session in
                let stream = try await session.openUnidirectionalStream()
                // Nothing but the prefix was sent: it must arrive all the same, or nobody knows whose stream it was.
                stream.reset(code: code)
                #expect(try await seen.value == code)
            }
        }
    }

    @Test("A stopped stream fails the writer")
    func stop() async throws {
        try await Loopback.withServer { session in
            for await stream in session.incomingUnidirectionalStreams { stream.stop(code: 7) }
        } _: { _, client in
            try await client.withSession { session in
                let stream = try await session.openUnidirectionalStream()
                var failure: WebTransportError?
                do {
                    while true { try await stream.write(ByteBuffer(repeating: 0, count: 10_000)) }
                } catch let error as WebTransportError {
                    failure = error
                }
                #expect(failure?.code == .streamStopped)
                #expect(failure?.applicationCode == 7)
            }
        }
    }

    @Test("A handler that writes for ever on its connection's loop learns that the peer has stopped its stream")
    func stoppedHandler() async throws {
        let seen = Handover<WebTransportError>()
        try await Loopback.withServer { session in
            let stream = try await session.openUnidirectionalStream()
            do {
                while true { try await stream.write(ByteBuffer(repeating: 0, count: 1000)) }
            } catch let error as WebTransportError {
                seen.set(error)
            }
        } _: { _, client in
            try await client.withSession { session in
                for await stream in session.incomingUnidirectionalStreams {
                    var chunks = stream.makeAsyncIterator()
                    _ = try await chunks.next()
                    stream.stop(code: 7)
                    break
                }
                let error = try await seen.value
                #expect(error.code == .streamStopped)
                #expect(error.applicationCode == 7)
            }
        }
    }

    @Test("A writer is suspended while the reader does not read, and goes on when it does")
    func backPressure() async throws {
        let release = Handover<Void>()
        let total = 40 << 20
        let counted = Handover<Int>()
        try await Loopback.withServer { session in
            for await stream in session.incomingUnidirectionalStreams {
                try await release.value
                counted.set(try await stream.collect().readableBytes)
            }
        } _: { _, client in
            try await client.withSession { session in
                let stream = try await session.openUnidirectionalStream()
                let written = Counter()
                async let writing: Void = {
                    for _ in 0..<(total / 65536) {
                        try await stream.write(ByteBuffer(repeating: 1, count: 65536))
                        written.increment()
                    }
                    stream.finish()
                }()
                // A round trip on another stream: by then the first one has run into its limits.
                _ = try await session.datagrams.maxDatagramSize
                let before = await written.settled()
                #expect(before < total / 65536)
                release.set(())
                try await writing
                #expect(try await counted.value == total)
            }
        }
    }

    @Test("Streams that the peer does not read hold up neither capsules nor responses of the same connection")
    func unreadStreams() async throws {
        let isFull = Handover<Void>()
        let written = Counter()
        try await Loopback.withServer(configure: { $0.gracePeriod = .hours(1) }) { session in
            // 64 times 2 MiB against the client's credit of 8 MiB: what is held rises to the bound of all streams.
            try await withThrowingDiscardingTaskGroup { group in
                for _ in 0..<64 {
                    group.addTask {
                        let stream = try await session.openUnidirectionalStream()
                        for _ in 0..<32 {
                            try await stream.write(ByteBuffer(repeating: 1, count: 1 << 16))
                            written.increment()
                        }
                    }
                }
                _ = await written.settled()
                isFull.set(())
            }
        } _: { server, client in
            try await client.withSession { session in
                try await isFull.value
                // The watermarks of the streams would hold 64 MiB. Together they hold 16 beyond the credit, and each
                // may write one chunk of a sixteenth past the mark.
                #expect(written.value <= (8 + 16) * 16 + 64)
                server.beginGracefulShutdown()
                try await session.draining
                // It was the capsule, not the end of an idle connection.
                #expect(try await session.datagrams.send(ByteBuffer()) == .queued)
            }
        }
    }

    @Test("What connections hold for peers that do not read shrinks with their number")
    func sharedAllowance() async throws {
        // The endpoint's connections share them, so that all must be one loop's.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let (total, chunk) = (2 << 20, 1 << 16)
        let isFull = [Handover<Void>(), Handover<Void>()]
        let written = Counter()
        try await Loopback.withServer(on: group) {
            $0.outputAllowance.total = total
        } handler: { session in
            // 16 times 2 MiB, of which the client's credit takes 8 MiB.
            await withDiscardingTaskGroup { group in
                for _ in 0..<16 {
                    group.addTask {
                        guard let stream = try? await session.openUnidirectionalStream() else { return }
                        for _ in 0..<32 {
                            guard (try? await stream.write(ByteBuffer(repeating: 1, count: chunk))) != nil else {
                                return
                            }
                            written.increment()
                        }
                    }
                }
                _ = await written.settled()
                isFull[session.request.path == "/first" ? 0 : 1].set(())
            }
        } _: { _, client in
            try await client.withSession("/first") { _ in
                try await isFull[0].value
                // Each stream may write one chunk past the mark.
                #expect(written.value <= ((8 << 20) + total) / chunk + 16)
                try await client.withSession("/second") { _ in
                    try await isFull[1].value
                    #expect(written.value <= (2 * (8 << 20) + total + total / 2) / chunk + 2 * 16)
                }
            }
        }
        try await group.shutdownGracefully()
    }

    @Test("10,000 streams one after the other")
    func manyStreams() async throws {
        try await Loopback.withServer(handler: Loopback.echo) { _, client in
            try await client.withSession { session in
                for number in 0..<10_000 {
                    let stream = try await session.openBidirectionalStream()
                    try await stream.outbound.write(ByteBuffer(integer: number))
                    stream.outbound.finish()
                    var reply = try await stream.inbound.collect()
                    try #require(reply.readInteger(as: Int.self) == number)
                }
            }
        }
    }

    @Test("Credit comes back for streams that are given up half read: the connection never stalls")
    func creditOfAbandonedStreams() async throws {
        let seen = Handover<Int>()
        // What is left unread of 1,000 streams is more than the connection's window, grown to 24 MiB.
        let rounds = 1_000
        try await Loopback.withServer { session in
            var count = 0
            for await stream in session.incomingUnidirectionalStreams {
                for try await _ in stream { break }
                count += 1
                if count == rounds { seen.set(count) }
            }
        } _: { _, client in
            try await client.withSession { session in
                for _ in 0..<rounds {
                    let stream = try await session.openUnidirectionalStream()
                    // The reader may have given up before the end was sent.
                    try? await stream.write(ByteBuffer(repeating: 5, count: 100_000))
                    stream.finish()
                }
                #expect(try await seen.value == rounds)
            }
        }
    }

    @Test("Streams that this end stops, and its peer then resets, are not held against the peer")
    func streamsThatAreStopped() async throws {
        // More than a peer may give up of its own accord: 2,048 and 100 a second.
        let rounds = 40
        // A writer stays on its loop until a mebibyte waits, which shall not take it long.
        let unwanted = ByteBuffer(repeating: 1, count: 1 << 18)
        try await Loopback.withServer { session in
            for await stream in session.incomingBidirectionalStreams {
                stream.inbound.stop(code: 1)
                stream.outbound.finish()
            }
        } _: { _, client in
            try await client.withSession { session in
                for _ in 0..<rounds {
                    try await withThrowingDiscardingTaskGroup { group in
                        for _ in 0..<100 {
                            group.addTask {
                                let stream = try await session.openBidirectionalStream()
                                do {
                                    while true { try await stream.outbound.write(unwanted) }
                                } catch let error as WebTransportError where error.code == .streamStopped {}
                            }
                        }
                    }
                }
                #expect(try await session.datagrams.send(ByteBuffer()) == .queued)
            }
        }
    }

    @Test("A task that is cancelled before it waits for a datagram does not wait")
    func cancelledBeforeWait() async throws {
        try await Loopback.withServer(handler: Loopback.echo) { _, client in
            try await client.withSession { session in
                let waiting = Task {
                    while !Task.isCancelled { await Task.yield() }
                    var iterator = session.datagrams.makeAsyncIterator()
                    return await iterator.next()
                }
                waiting.cancel()
                #expect(await waiting.value == nil)
            }
        }
    }

    @Test("More streams at once than the peer allows: opening suspends until one ends")
    func streamLimit() async throws {
        try await Loopback.withServer(configure: { $0.transport.maxStreams = 4 }, handler: Loopback.echo) { _, client in
            try await client.withSession { session in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<50 {
                        group.addTask {
                            let stream = try await session.openBidirectionalStream()
                            try await stream.outbound.write(ByteBuffer(integer: number))
                            stream.outbound.finish()
                            #expect(try await stream.inbound.collect() == ByteBuffer(integer: number))
                        }
                    }
                    try await group.waitForAll()
                }
            }
        }
    }

    @Test("A stream that is empty arrives and ends")
    func emptyStream() async throws {
        try await Loopback.withServer { session in
            let stream = try await session.openUnidirectionalStream()
            stream.finish()
            _ = try await session.closed
        } _: { _, client in
            try await client.withSession { session in
                for await stream in session.incomingUnidirectionalStreams {
                    let received = try await stream.collect()
                    #expect(received.readableBytes == 0)
                    break
                }
            }
        }
    }
}
