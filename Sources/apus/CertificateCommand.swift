import ArgumentParser
import Credentials

/// `apus certificate`
struct CertificateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certificate",
        abstract: "Make a development certificate that browsers accept by its hash.",
        discussion: """
            Writes development.pem and development.key (readable by you alone): ECDSA on P-256, self-signed, at most \
            14 days, as browsers demand for `serverCertificateHashes`. Prints the SHA-256 of the certificate:

              new WebTransport(url, {serverCertificateHashes: [{algorithm: "sha-256", value: bytes}]})

            `apus serve` makes and renews one by itself; use this command for other hosts or another directory.
            """
    )

    @Option(help: ArgumentHelp("Where to write the two files.", valueName: "directory"))
    var output = "certs"

    @Option(help: ArgumentHelp("The certificate's lifetime, 1 to 14 days.", valueName: "days"))
    var days = DevelopmentCertificate.defaultDays

    @Option(
        help: ArgumentHelp("The names and addresses that clients will use, separated by commas.", valueName: "list")
    )
    var hosts = "localhost,127.0.0.1,::1"

    func run() async throws {
        do {
            let certificate = try DevelopmentCertificate(
                hosts: self.hosts.split(separator: ",").map(String.init),
                days: self.days
            )
            try certificate.write(to: self.output)
            print(
                """
                Wrote \(self.output)/development.pem and \(self.output)/development.key, valid for \(self.days == 1 ? "1 day" : "\(self.days) days").
                SHA-256 (hex):    \(certificate.fingerprint.hexadecimal)
                SHA-256 (base64): \(certificate.fingerprint.base64)
                """
            )
        } catch {
            throw CommandFailure.report(error)
        }
    }
}
