import NIOCore
import NIOPosix
import Testing
import WebTransport

@testable import WebTransport

@Suite("What the library may hold for connections")
struct LibraryMemoryTests {
    private static let least = 128 << 10

    @Test("One connection may have what a fast one needs, and not more, but for what is leaked")
    func one() {
        let memory = LibraryMemory()
        #expect(memory.permits(64 << 20, leaked: 0, ofEachOf: 1))
        #expect(!memory.permits(64 << 20 + 1, leaked: 0, ofEachOf: 1))
        #expect(memory.permits(100 << 20, leaked: 36 << 20, ofEachOf: 1))
    }

    @Test("When all together hold too much, who holds more than a share must go, and only then")
    func shares() {
        var memory = LibraryMemory(total: 1 << 20)
        // Of four connections one holds nearly everything.
        let share = Self.least + (1 << 20) / 4
        memory.changed(by: (1 << 20) + 4 * Self.least)
        #expect(memory.permits(1 << 20, leaked: 0, ofEachOf: 4))
        memory.changed(by: 1)
        #expect(!memory.permits(share + 1, leaked: 0, ofEachOf: 4))
        #expect(!memory.permits(share + 1, leaked: share, ofEachOf: 4), "what is leaked is held, too")
        #expect(memory.permits(share, leaked: 0, ofEachOf: 4))
        memory.changed(by: -1)
        #expect(memory.permits(share + 1, leaked: 0, ofEachOf: 4))
    }

    @Test(
        "A connection that holds more than its share is closed when memory is short, and no other",
        .timeLimit(.minutes(1))
    )
    func shortage() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        try await Loopback.withServer(on: group) {
            // Each connection has the least that it needs, and no more.
            $0.libraryMemory = LibraryMemory(total: 0)
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
}
