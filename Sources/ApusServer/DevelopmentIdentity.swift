public import Credentials
import Foundation
public import Logging

/// The development certificate in a directory: made when there is none, renewed before it expires.
///
/// Browsers accept a certificate by its hash only for 14 days, so it must change while the server runs. Sessions that
/// exist go on; new ones get the new certificate; both hashes are offered while both are valid.
public struct DevelopmentIdentity: Sendable {
    /// Where the certificate and its key are.
    public let directory: String
    /// Whom the first certificate is for. Its successors are for the hosts of the one that they replace, which may have
    /// been made by hand.
    public let hosts: [String]

    /// A certificate is replaced this long before it expires, in seconds: two days.
    public static let renewalMargin: Int64 = 2 * 86_400
    /// How often a running server looks.
    public static let interval = Duration.seconds(600)

    /// Names the directory; nothing is read or made before `load`.
    public init(directory: String, hosts: [String] = ["localhost", "127.0.0.1", "::1"]) {
        self.directory = directory
        self.hosts = hosts
    }

    /// Loads the certificate, or makes one when there is none or it is about to expire.
    /// - Parameter now: seconds since the epoch; nil is the system's clock.
    public func load(at now: Int64? = nil, logger: Logger) throws -> ServerIdentity {
        guard FileManager.default.fileExists(atPath: self.certificateFile) else {
            logger.info("Making a development certificate in \(self.directory).")
            return try self.make(at: now)
        }
        do {
            let identity = try ServerIdentity(
                certificateFile: self.certificateFile,
                privateKeyFile: "\(self.directory)/\(DevelopmentCertificate.privateKeyFileName)",
                at: now
            )
            if !self.needsRenewal(identity, at: now) { return identity }
            logger.info("The development certificate is about to expire; making a new one.")
        } catch {
            logger.notice("The development certificate cannot be used and is replaced: \(error)")
        }
        return try self.make(at: now)
    }

    /// Replaces the identity when it is about to expire.
    /// - Returns: whether it was replaced.
    @discardableResult
    public func renew(_ identities: IdentityStore, at now: Int64? = nil, logger: Logger) throws -> Bool {
        guard self.needsRenewal(identities.current, at: now) else { return false }
        let identity = try self.make(at: now)
        identities.replace(with: identity)
        logger.notice("New development certificate, SHA-256 \(identity.fingerprint.hexadecimal).")
        return true
    }

    private var certificateFile: String { "\(self.directory)/\(DevelopmentCertificate.certificateFileName)" }

    private func make(at now: Int64?) throws -> ServerIdentity {
        let hosts = DevelopmentCertificate.hosts(in: self.directory) ?? self.hosts
        let certificate = try DevelopmentCertificate(hosts: hosts, at: now)
        try certificate.write(to: self.directory)
        return try certificate.makeIdentity(at: now)
    }

    private func needsRenewal(_ identity: ServerIdentity, at now: Int64?) -> Bool {
        identity.notValidAfter - (now ?? Int64(Date().timeIntervalSince1970)) < Self.renewalMargin
    }
}
