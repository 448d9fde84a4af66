import Credentials
import NIOCore
import Testing

@testable import TLS

@Suite("A client resumes its TLS sessions")
struct TLSResumptionTests {
    private let store = ResumptionStore()

    /// One connection to the same server, as far as what it remembers goes.
    private func connect(
        _ identities: IdentityStore,
        _ tickets: SessionTicketKey,
        verification: CertificateVerification? = nil,
        maximumVersion: TLSVersion = .tls13
    ) throws -> TLSPair {
        let pair = try TLSPair(
            verification: verification,
            maximumVersion: maximumVersion,
            identities: identities,
            tickets: tickets,
            store: self.store
        )
        try pair.pump()
        return pair
    }

    private func server() throws -> (IdentityStore, SessionTicketKey) {
        (IdentityStore(try DevelopmentCertificate().makeIdentity()), try SessionTicketKey())
    }

    @Test("RFC 8446 § 2.2: the second connection uses the first one's ticket, and data passes as before")
    func resumes() throws {
        let (identities, tickets) = try self.server()
        let first = try self.connect(identities, tickets)
        #expect(first.client.recorder.handshake?.isResumed == false)
        #expect(self.store.count == 1)
        for _ in 0..<2 {
            let next = try self.connect(identities, tickets)
            #expect(next.client.recorder.handshake?.isResumed == true)
            #expect(next.server.recorder.handshake?.isResumed == true)
            next.client.write(ByteBuffer(string: "hello"))
            try next.pump()
            #expect(next.server.recorder.received == ByteBuffer(string: "hello"))
        }
    }

    @Test("A server with another key does not read the ticket, and shakes hands in full")
    func anotherKey() throws {
        let (identities, tickets) = try self.server()
        _ = try self.connect(identities, tickets)
        let next = try self.connect(identities, SessionTicketKey())
        #expect(next.client.recorder.handshake?.isResumed == false)
    }

    @Test("A ticket is not used by who verifies the server otherwise, and the check is made again")
    func anotherVerification() throws {
        let (identities, tickets) = try self.server()
        _ = try self.connect(identities, tickets)
        let lax = try self.connect(identities, tickets, verification: CertificateVerification.none)
        #expect(lax.client.recorder.handshake?.isResumed == false)
        let wrong = try DevelopmentCertificate().makeIdentity().fingerprint
        let strict = try self.connect(identities, tickets, verification: .fingerprints([wrong]))
        #expect(strict.client.recorder.handshake == nil)
        #expect(strict.client.recorder.errors.first is CredentialsError)
    }

    @Test("TLS 1.2 keeps nothing")
    func version12() throws {
        let (identities, tickets) = try self.server()
        for _ in 0..<2 {
            let pair = try self.connect(identities, tickets, maximumVersion: .tls12)
            #expect(pair.client.recorder.handshake?.isResumed == false)
        }
        #expect(self.store.count == 0)
    }
}
