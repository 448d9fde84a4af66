import Credentials
import Testing

@Suite("Server identity")
struct ServerIdentityTests {
    private static func code(_ body: () throws -> Void) -> CredentialsError.Code? {
        do {
            try body()
            return nil
        } catch {
            return (error as? CredentialsError)?.code
        }
    }

    @Test("A file that is missing is named")
    func missing() throws {
        #expect {
            try ServerIdentity(certificateFile: "/nowhere/a.pem", privateKeyFile: "/nowhere/a.key")
        } throws: {
            guard let error = $0 as? CredentialsError else { return false }
            return error.code == .unreadable && error.message.contains("/nowhere/a.pem: No such file")
        }
    }

    @Test("A directory in place of a file is unreadable")
    func directory() throws {
        #expect(
            Self.code { _ = try ServerIdentity(certificateFile: "/tmp", privateKeyFile: "/tmp") } == .unreadable
        )
    }

    @Test("Text that is no certificate is malformed, and the file is named")
    func malformed() throws {
        let directory = try TemporaryDirectory()
        let made = try DevelopmentCertificate()
        let certificate = try directory.file("a.pem", "nonsense")
        let key = try directory.file("a.key", made.privateKeyPEM)
        #expect { try ServerIdentity(certificateFile: certificate, privateKeyFile: key) } throws: {
            guard let error = $0 as? CredentialsError else { return false }
            return error.code == .malformed && error.message.contains(certificate)
        }
    }

    @Test("Empty texts are malformed")
    func empty() {
        #expect(Self.code { _ = try ServerIdentity(certificatePEM: "", privateKeyPEM: "") } == .malformed)
    }

    @Test("Another certificate's key is a mismatch")
    func mismatch() throws {
        let first = try DevelopmentCertificate()
        let second = try DevelopmentCertificate()
        #expect(
            Self.code {
                _ = try ServerIdentity(certificatePEM: first.certificatePEM, privateKeyPEM: second.privateKeyPEM)
            } == .keyMismatch
        )
    }

    @Test("A key's secrets are the same each time, and different for each label and each key")
    func secrets() throws {
        let (first, second) = (try DevelopmentCertificate(), try DevelopmentCertificate())
        func secret(_ certificate: DevelopmentCertificate, _ label: String) throws -> [UInt8] {
            try certificate.makeIdentity().secret(for: label)
        }
        let secret1 = try secret(first, "a")
        #expect(secret1.count == 32)
        #expect(try secret(first, "a") == secret1)
        #expect(try secret(first, "b") != secret1)
        #expect(try secret(second, "a") != secret1)
    }

    @Test("A certificate is refused after and before its validity, and accepted at both ends")
    func validity() throws {
        let made = try DevelopmentCertificate(days: 1)
        func load(at now: Int64) -> CredentialsError.Code? { Self.code { _ = try made.makeIdentity(at: now) } }
        #expect(load(at: made.notValidAfter) == nil)
        #expect(load(at: made.notValidAfter + 1) == .expired)
        #expect(load(at: made.notValidBefore) == nil)
        #expect(load(at: made.notValidBefore - 1) == .notYetValid)
    }

    @Test("The message for an expired certificate says when and what to do")
    func expiredMessage() throws {
        // 2026-01-01 00:00:00 UTC.
        let made = try DevelopmentCertificate(days: 1, at: 1_767_225_600)
        #expect { try made.makeIdentity(at: made.notValidAfter + 1) } throws: {
            let message = ($0 as? CredentialsError)?.message ?? ""
            return message.contains("2026-01-01 22:59:59 UTC") && message.contains("apus certificate")
        }
    }
}

@Suite("Identity store")
struct IdentityStoreTests {
    @Test("After a rotation both certificates are offered until the older one expires")
    func overlap() throws {
        let start: Int64 = 1_767_225_600
        let first = try DevelopmentCertificate(days: 2, at: start).makeIdentity(at: start)
        let second = try DevelopmentCertificate(days: 13, at: start).makeIdentity(at: start)
        let store = IdentityStore(first)
        #expect(store.offered(at: start).map(\.fingerprint) == [first.fingerprint])
        store.replace(with: second)
        #expect(store.current === second)
        #expect(store.offered(at: start).map(\.fingerprint) == [second.fingerprint, first.fingerprint])
        #expect(store.offered(at: first.notValidAfter).count == 2)
        #expect(store.offered(at: first.notValidAfter + 1).map(\.notValidAfter) == [second.notValidAfter])
    }

    @Test("Loading the same certificate again, or going back, offers each only once")
    func repeated() throws {
        let made = try DevelopmentCertificate()
        let other = try DevelopmentCertificate().makeIdentity()
        let store = IdentityStore(try made.makeIdentity())
        store.replace(with: try made.makeIdentity())
        #expect(store.offered().count == 1)
        store.replace(with: other)
        store.replace(with: try made.makeIdentity())
        #expect(store.offered().map(\.fingerprint) == [made.fingerprint, other.fingerprint])
    }
}
