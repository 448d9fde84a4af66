import Credentials
import Testing

@Suite("What a client remembers of servers") struct ResumptionStoreTests {
    private func server(
        _ host: String,
        port: Int = 443,
        _ verification: CertificateVerification = .system
    ) -> ResumptionStore.Server { ResumptionStore.Server(.quic, host: host, port: port, verification: verification) }

    private func ticket(_ byte: UInt8, expiry: Int64 = .max) -> ResumptionTicket {
        ResumptionTicket(session: [byte], expiry: expiry, earlyData: nil)
    }

    @Test("Ticket and token are given out once, and only for the server that they came from") func once() {
        let store = ResumptionStore()
        store.remember(self.ticket(1), of: self.server("a"))
        store.remember(addressToken: [2], of: self.server("a"))
        let others = [
            self.server("b"), self.server("a", port: 444), self.server("a", .none),
            ResumptionStore.Server(.tls, host: "a", port: 443, verification: .system),
        ]
        for other in others {
            let memory = store.take(for: other)
            #expect(memory.ticket == nil && memory.addressToken == nil)
        }
        let memory = store.take(for: self.server("a"))
        #expect(memory.ticket?.session == [1] && memory.addressToken == [2])
        #expect(store.take(for: self.server("a")).ticket == nil)
        #expect(store.count == 0)
    }

    @Test("A ticket that has expired is not given out, and a token is none the worse for it") func expiry() {
        let store = ResumptionStore()
        for (now, isGood) in [(Int64(99), true), (100, false)] {
            store.remember(self.ticket(1, expiry: 100), of: self.server("a"))
            store.remember(addressToken: [2], of: self.server("a"))
            let memory = store.take(for: self.server("a"), at: now)
            #expect((memory.ticket != nil) == isGood)
            #expect(memory.addressToken == [2])
        }
    }

    @Test("Beyond its capacity a store forgets the server of which it heard longest ago") func capacity() {
        let store = ResumptionStore(capacity: 2)
        store.remember(self.ticket(1), of: self.server("a"))
        store.remember(self.ticket(2), of: self.server("b"))
        store.remember(addressToken: [1], of: self.server("a"))
        store.remember(self.ticket(3), of: self.server("c"))
        #expect(store.count == 2)
        #expect(store.take(for: self.server("b")).ticket == nil)
        #expect(store.take(for: self.server("a")).ticket != nil)
        #expect(store.take(for: self.server("c")).ticket != nil)
    }

    @Test("A later ticket takes an earlier one's place") func replacement() {
        let store = ResumptionStore()
        store.remember(self.ticket(1), of: self.server("a"))
        store.remember(self.ticket(2), of: self.server("a"))
        #expect(store.take(for: self.server("a")).ticket?.session == [2])
    }

    @Test("Nothing is left when all is removed") func removal() {
        let store = ResumptionStore()
        store.remember(self.ticket(1), of: self.server("a"))
        store.removeAll()
        #expect(store.count == 0)
        #expect(store.take(for: self.server("a")).ticket == nil)
    }
}
