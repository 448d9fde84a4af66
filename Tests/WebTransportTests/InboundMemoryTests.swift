import HTTPTypes
import NIOCore
import NIOPosix
import Testing
import WebTransport

@testable import WebTransport

@Suite("What peers may make a server keep")
struct InboundMemoryTests {
    private static let least = 128 << 10

    @Test("One connection may have what a fast one needs, and not more, but for what is leaked")
    func one() {
        let memory = InboundMemory()
        #expect(memory.permits(.init(library: 64 << 20), ofEachOf: 1))
        #expect(!memory.permits(.init(library: 64 << 20 + 1), ofEachOf: 1))
        #expect(memory.permits(.init(library: 100 << 20, leaked: 36 << 20), ofEachOf: 1))
    }

    @Test("When all together hold too much, who holds more than a share must go, and only then")
    func shares() {
        var memory = InboundMemory(total: 1 << 20)
        // Of four connections one holds nearly everything.
        let share = Self.least + (1 << 20) / 4
        let full = InboundMemory.Holding(library: (1 << 20) + 4 * Self.least)
        memory.changed(from: .init(), to: full)
        #expect(memory.permits(full, ofEachOf: 4))
        memory.changed(from: .init(), to: .init(library: 1))
        for holding in [
            InboundMemory.Holding(library: share + 1), .init(untaken: share / 2 + 1),
            // What is leaked is held, too.
            .init(library: share + 1, leaked: share),
        ] {
            #expect(!memory.permits(holding, ofEachOf: 4))
        }
        #expect(memory.permits(.init(library: share), ofEachOf: 4))
        #expect(memory.permits(.init(untaken: share / 2), ofEachOf: 4))
        memory.changed(from: .init(library: 1), to: .init())
        #expect(memory.permits(.init(library: share + 1), ofEachOf: 4))
    }

    @Test(
        "A connection that holds more than its share is closed when memory is short, and no other",
        .timeLimit(.minutes(1))
    )
    func shortage() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        try await Loopback.withServer(on: group) {
            // Each connection has the least that it needs, and no more.
            $0.inboundMemory = InboundMemory(total: 0)
        } handler: { session in
            try await Loopback.echo(session)
        } _: { _, client in
            try await client.withSession { bystander in
                try await client.withSession { hoarder in
                    let end = try await withThrowingTaskGroup(of: Void.self) { tasks in
                        tasks.addTask {
                            // Streams that are begun and not ended, as many as the server allows.
                            while let stream = try? await hoarder.openBidirectionalStream() {
                                try? await stream.outbound.write(ByteBuffer(string: "x"))
                            }
                        }
                        defer { tasks.cancelAll() }
                        return try await hoarder.closed
                    }
                    guard case .abnormal(let text) = end else {
                        Issue.record("it has ended otherwise: \(end)")
                        return
                    }
                    #expect(text.contains("0x107"), "\(text)")
                }
                let stream = try await bystander.openBidirectionalStream()
                try await stream.outbound.write(ByteBuffer(string: "still here"))
                stream.outbound.finish()
                let echo = try await stream.inbound.collect()
                #expect(String(buffer: echo) == "still here")
            }
        }
        try await group.shutdownGracefully()
    }

    @Test("So is one whose data nobody takes, be it of a session or of none", .timeLimit(.minutes(1)))
    func unread() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        try await Loopback.withServer(on: group) {
            $0.inboundMemory = InboundMemory(total: 2 << 20)
        } handler: { session in
            if session.request.path != "/deaf" {
                for await stream in session.incomingUnidirectionalStreams {
                    let count = try await stream.collect().readableBytes
                    let reply = try await session.openUnidirectionalStream()
                    try await reply.write(ByteBuffer(integer: count))
                    reply.finish()
                }
            }
            _ = try? await session.closed
        } _: { _, client in
            try await client.withSession("/deaf") { hoarder in
                try await withThrowingDiscardingTaskGroup { group in
                    let stream = try await hoarder.openUnidirectionalStream()
                    group.addTask {
                        for _ in 0..<64 { try? await stream.write(ByteBuffer(repeating: 1, count: 64 << 10)) }
                    }
                    guard case .abnormal(let text) = try await hoarder.closed else {
                        Issue.record("it goes on")
                        return
                    }
                    #expect(text.contains("0x107"), "\(text)")
                }
            }
            // Who reads what comes keeps going, with as much.
            try await client.withSession { session in
                let stream = try await session.openUnidirectionalStream()
                for _ in 0..<64 { try await stream.write(ByteBuffer(repeating: 1, count: 64 << 10)) }
                stream.finish()
                for await reply in session.incomingUnidirectionalStreams {
                    #expect(try await reply.collect() == ByteBuffer(integer: 4 << 20))
                    break
                }
            }
        }
        try await group.shutdownGracefully()
    }
}
