import ArgumentParser
import Credentials

/// `--hash` and `--insecure`: how a client decides whether to trust the server.
struct TrustOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Trust the certificate with this SHA-256, as 64 hexadecimal digits; the server prints it. May be repeated.",
            valueName: "hex"
        )
    )
    var hash: [String] = []

    @Flag(help: "Trust any certificate. Whoever is on the way can read and change everything.")
    var insecure = false

    func validate() throws {
        guard self.hash.isEmpty || !self.insecure else {
            throw ValidationError("--hash and --insecure exclude each other.")
        }
        for text in self.hash where CertificateFingerprint(hexadecimal: text) == nil {
            throw ValidationError("\(text.debugDescription) is not a SHA-256: give 64 hexadecimal digits to --hash.")
        }
    }

    func credentials() throws -> ClientCredentials {
        if self.insecure { return try ClientCredentials(verification: .none) }
        let fingerprints = Set(self.fingerprints)
        return try ClientCredentials(verification: fingerprints.isEmpty ? .system : .fingerprints(fingerprints))
    }

    var fingerprints: [CertificateFingerprint] { self.hash.compactMap(CertificateFingerprint.init(hexadecimal:)) }
}
