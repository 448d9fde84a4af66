import Credentials
import HTTPSemantics
import HTTPTypes
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing
import WebTransport

@Suite("Fetching a resource, with and without early data", .timeLimit(.minutes(1))) struct FetchTests {
    /// A server with one resource, and a client that remembers it.
    private func withClient(
        serverTakesEarlyData: Bool = true,
        clientSendsEarlyData: Bool = true,
        store: ResumptionStore = ResumptionStore(),
        resource: @escaping ResourceHandler = { request in .text(.ok, "\(request.path ?? "")") },
        _ body:
            @Sendable (_ client: WebTransportClient, _ url: String, _ server: ResumptionStore.Server) async throws ->
            Void
    ) async throws {
        try await Loopback.withServer {
            $0.resources = resource
            $0.transport.earlyData = serverTakesEarlyData
        } handler: { session in
            _ = try await session.closed
        } _: { server, loopback in
            var configuration = loopback.configuration
            configuration.resumption = store
            configuration.transport.earlyData = clientSendsEarlyData
            let client = try await WebTransportClient.bind(
                configuration: configuration,
                eventLoop: Loopback.group.next(),
                isIPv6: false,
                logger: Logger(label: "test.client")
            )
            let key = ResumptionStore.Server(
                .quic,
                host: "127.0.0.1",
                port: server.localAddress.port!,
                verification: configuration.credentials.verification
            )
            do { try await body(client, "https://\(loopback.authority)/resource?1", key) } catch {
                await client.close()
                throw error
            }
            await client.close()
        }
    }

    /// A first fetch, after which the store has what the next connection needs.
    private func acquaint(_ client: WebTransportClient, _ url: String) async throws {
        let first = try await client.fetch(url)
        #expect(!first.isResumed && !first.isEarlyDataAccepted)
        await client.settled(within: .seconds(30))
    }

    @Test("RFC 9114 § 4: the answer is there, whole, with its status") func fetch() async throws {
        try await self.withClient(resource: { request in
            .init(head: .init(status: .notFound), body: ByteBuffer(repeating: 7, count: 3_000_000))
        }) { client, url, _ in
            let resource = try await client.fetch(url)
            #expect(resource.head.status == .notFound)
            #expect(resource.body == ByteBuffer(repeating: 7, count: 3_000_000))
            let error = await #expect(throws: WebTransportError.self) {
                try await client.fetch(url, maxBodySize: 2_999_999)
            }
            #expect(error?.code == .tooLarge)
        }
    }

    @Test("A second fetch is sent and answered before the handshake is complete") func early() async throws {
        let store = ResumptionStore()
        try await self.withClient(store: store) { client, url, server in
            try await self.acquaint(client, url)
            let second = try await client.fetch(url)
            #expect(second.isResumed && second.isEarlyDataAccepted)
            #expect(String(buffer: second.body) == "/resource?1")
        }
    }

    @Test("Either end may leave early data off, and the session is resumed all the same", arguments: [true, false])
    func off(serverTakesEarlyData: Bool) async throws {
        let store = ResumptionStore()
        try await self.withClient(
            serverTakesEarlyData: serverTakesEarlyData,
            clientSendsEarlyData: !serverTakesEarlyData,
            store: store
        ) { client, url, server in
            try await self.acquaint(client, url)
            let memory = store.take(for: server)
            #expect((memory.ticket?.earlyData != nil) == serverTakesEarlyData)
            store.remember(try #require(memory.ticket), of: server)
            let second = try await client.fetch(url)
            #expect(second.isResumed && !second.isEarlyDataAccepted)
        }
    }

    @Test("RFC 9001 § 4.6.2: what a server does not take early is asked for again, once, after the handshake")
    func rejected() async throws {
        let store = ResumptionStore()
        try await self.withClient(store: store) { client, url, server in
            try await self.acquaint(client, url)
            let memory = store.take(for: server)
            let requests = NIOLockedValueBox(0)
            // Another server: it cannot read the ticket.
            try await self.withClient(store: store) { request in
                requests.withLockedValue { $0 += 1 }
                return .text(.ok, "another")
            } _: { client, url, server in
                store.remember(try #require(memory.ticket), of: server)
                // Its certificate is another, and so is the way it is verified; the ticket was moved by hand.
                let resource = try await client.fetch(url)
                #expect(!resource.isResumed && !resource.isEarlyDataAccepted)
                #expect(String(buffer: resource.body) == "another")
                #expect(requests.withLockedValue { $0 } == 1)
            }
        }
    }

    @Test("RFC 8470 § 4: a request that came too early is made again after the handshake") func tooEarly() async throws
    {
        let store = ResumptionStore()
        let requests = NIOLockedValueBox(0)
        try await self.withClient(store: store) { _ in
            let count = requests.withLockedValue { requests in
                requests += 1
                return requests
            }
            return count == 2 ? .text(.tooEarly, "not yet") : .text(.ok, "\(count)")
        } _: { client, url, server in
            try await self.acquaint(client, url)
            let second = try await client.fetch(url)
            #expect(second.head.status == .ok && second.isEarlyDataAccepted)
            #expect(String(buffer: second.body) == "3")
        }
    }

    @Test("A session's connection is resumed too, and its CONNECT waits for the handshake") func session() async throws
    {
        let store = ResumptionStore()
        try await self.withClient(store: store) { client, url, server in
            try await self.acquaint(client, url)
            let session = try await client.connect(to: url)
            #expect(try await session.statistics().isResumed)
            session.close()
        }
    }

    @Test("Without a store every connection is the first") func noStore() async throws {
        try await Loopback.withServer {
            $0.resources = { _ in .text(.ok, "x") }
        } handler: { _ in
        } _: { _, loopback in
            let client = try await WebTransportClient.bind(
                configuration: loopback.configuration,
                eventLoop: Loopback.group.next(),
                isIPv6: false,
                logger: Logger(label: "test.client")
            )
            for _ in 0..<2 {
                let resource = try await client.fetch("https://\(loopback.authority)/")
                #expect(!resource.isResumed)
            }
            await client.close()
        }
    }
}
