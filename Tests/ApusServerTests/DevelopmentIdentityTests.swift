import ApusServer
import Credentials
import Foundation
import Logging
import NIOCore
import Testing
import WebTransport

@Suite("The development certificate (W3C WebTransport, custom certificate requirements)", .timeLimit(.minutes(1)))
struct DevelopmentIdentityTests {
    private static let day: Int64 = 86_400
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private static let now = Int64(Date().timeIntervalSince1970)

    /// Gives `body` an identity in a directory of its own, which does not exist yet.
    private static func withIdentity(_ body: (DevelopmentIdentity) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "apus-\(UUID().uuidString)")
        defer {
            // It is not there when the test failed before it was made.
            try? FileManager.default.removeItem(at: directory)
        }
        try await body(DevelopmentIdentity(directory: directory.path, hosts: ["localhost", "127.0.0.1"]))
    }

    @Test("The first load makes a certificate, the next ones find it until two days before it expires")
    func load() async throws {
        try await Self.withIdentity { development in
            let first = try development.load(at: Self.now, logger: Self.logger)
            #expect(first.notValidAfter - first.notValidBefore <= 14 * Self.day)
            let margin = DevelopmentIdentity.renewalMargin
            #expect(margin == 2 * Self.day)
            for time in [Self.now, first.notValidAfter - margin] {
                let again = try development.load(at: time, logger: Self.logger)
                #expect(again.fingerprint == first.fingerprint)
            }
            let renewed = try development.load(at: first.notValidAfter - margin + 1, logger: Self.logger)
            #expect(renewed.fingerprint != first.fingerprint)
            let found = try development.load(at: first.notValidAfter, logger: Self.logger)
            #expect(found.fingerprint == renewed.fingerprint)
        }
    }

    @Test("A certificate that cannot be used is replaced: an expired one, and one whose file is damaged")
    func unusable() async throws {
        try await Self.withIdentity { development in
            let old = try development.load(at: Self.now - 100 * Self.day, logger: Self.logger)
            let new = try development.load(at: Self.now, logger: Self.logger)
            #expect(new.fingerprint != old.fingerprint)
            #expect(new.notValidAfter > Self.now + 12 * Self.day)
            let file = "\(development.directory)/\(DevelopmentCertificate.certificateFileName)"
            try "nonsense".write(toFile: file, atomically: true, encoding: .utf8)
            let repaired = try development.load(at: Self.now, logger: Self.logger)
            #expect(repaired.fingerprint != new.fingerprint)
        }
    }

    @Test("A renewal happens once, two days before the end, and is kept in the directory")
    func renew() async throws {
        try await Self.withIdentity { development in
            let first = try development.load(at: Self.now, logger: Self.logger)
            let identities = IdentityStore(first)
            let due = first.notValidAfter - DevelopmentIdentity.renewalMargin
            #expect(try !development.renew(identities, at: due, logger: Self.logger))
            #expect(identities.current.fingerprint == first.fingerprint)
            #expect(try development.renew(identities, at: due + 1, logger: Self.logger))
            #expect(try !development.renew(identities, at: due + 1, logger: Self.logger))
            let current = identities.current.fingerprint
            #expect(current != first.fingerprint)
            #expect(try development.load(at: due + 1, logger: Self.logger).fingerprint == current)
            // Both while both are valid, the new one first.
            #expect(identities.offered(at: due + 1).map(\.fingerprint) == [current, first.fingerprint])
            #expect(identities.offered(at: first.notValidAfter + 1).map(\.fingerprint) == [current])
        }
    }

    @Test("Successors are for the hosts of the certificate that they replace, expired or not", arguments: [12, 30])
    func renewalKeepsHosts(age: Int64) async throws {
        try await Self.withIdentity { development in
            let hosts = ["lab.example", "192.0.2.7", "2001:db8::7"]
            let made = try DevelopmentCertificate(hosts: hosts, at: Self.now - age * Self.day)
            try made.write(to: development.directory)
            let renewed = try development.load(at: Self.now, logger: Self.logger)
            #expect(renewed.fingerprint != made.fingerprint)
            #expect(DevelopmentCertificate.hosts(in: development.directory) == hosts)
        }
    }

    @Test("When it cannot be written, the renewal fails and the server keeps what it has")
    func unwritable() async throws {
        try await Self.withIdentity { development in
            let old = try development.load(at: Self.now - 12 * Self.day, logger: Self.logger)
            let identities = IdentityStore(old)
            try FileManager.default.removeItem(atPath: development.directory)
            try "a file in its place".write(toFile: development.directory, atomically: true, encoding: .utf8)
            #expect(throws: CredentialsError.self) {
                try development.renew(identities, at: Self.now, logger: Self.logger)
            }
            #expect(identities.current.fingerprint == old.fingerprint)
        }
    }

    @Test("A renewal keeps the sessions; new ones get the new certificate; pages are offered both hashes")
    func renewalUnderSessions() async throws {
        try await Self.withIdentity { development in
            // A day and a half before its end.
            let old = try development.load(at: Self.now - 23 * Self.day / 2, logger: Self.logger)
            let identities = IdentityStore(old)
            let trustsOld = try ClientCredentials(verification: .fingerprints([old.fingerprint]))
            try await TestServer.run(identities, trustsOld) { test in
                try await test.webTransport("/echo") { session in
                    #expect(try development.renew(identities, logger: Self.logger))
                    let new = identities.current.fingerprint
                    let trustsNew = try ClientCredentials(verification: .fingerprints([new]))
                    await #expect(throws: WebTransportError.self) { try await test.webTransport("/echo") { _ in } }
                    try await test.webTransport("/echo", credentials: trustsNew) { _ in }

                    let offer = try await test.request("GET", "/api/certificate", over: .plain).body
                    let first = try #require(offer.firstRange(of: new.hexadecimal))
                    let second = try #require(offer.firstRange(of: old.fingerprint.hexadecimal))
                    #expect(first.upperBound < second.lowerBound)

                    let stream = try await session.openBidirectionalStream()
                    try await stream.outbound.write(ByteBuffer(string: "still here"))
                    stream.outbound.finish()
                    let reply = try await stream.inbound.collect()
                    #expect(reply == ByteBuffer(string: "still here"))
                }
            }
        }
    }
}
