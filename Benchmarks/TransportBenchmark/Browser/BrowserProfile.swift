import Credentials
import Foundation

/// What a browser is started with: a profile of its own, in which nothing is remembered, looked up or slowed down.
struct BrowserProfile {
    /// The program, and its arguments without the address to open.
    let command: [String]

    /// - Parameters:
    ///   - directory: empty; it becomes the profile.
    ///   - host: of the target.
    ///   - authority: with its port. Its certificate is not one that browsers know.
    ///   - certificates: those that it may have.
    /// - Throws: `BenchmarkError` with `unavailable` when the browser is not installed; with `cannotCreate`.
    init(
        of browser: Browser,
        in directory: String,
        host: String,
        authority: String,
        certificates: [CertificateFingerprint]
    ) throws(BenchmarkError) {
        let program = try Self.program(of: browser)
        // What it leaves behind goes with its profile.
        let temporary = "TMPDIR=\(directory)"
        switch browser {
        case .chromium:
            self.command =
                ["/usr/bin/env", temporary, program] + Self.chromiumArguments + [
                    "--user-data-dir=\(directory)",
                    // It knows no other host.
                    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE \(host)",
                ]
        case .firefox:
            do {
                try Data(Self.firefoxPreferences.utf8).write(to: URL(fileURLWithPath: "\(directory)/user.js"))
                let overrides = certificates.map { Self.override(of: $0, authority) }.joined()
                try Data(overrides.utf8).write(to: URL(fileURLWithPath: "\(directory)/cert_override.txt"))
            } catch {
                throw BenchmarkError(
                    .cannotCreate,
                    "the profile of a browser cannot be written to \(directory): \(error)"
                )
            }
            // Settings of Mozilla's that are fetched, and reports of crashes, are told off by the environment alone.
            self.command = [
                "/usr/bin/env", temporary, "HOME=\(directory)", "MOZ_CRASHREPORTER_DISABLE=1",
                "MOZ_REMOTE_SETTINGS_DEVTOOLS=1", program,
                "--headless", "--no-remote", "--profile", directory,
            ]
        }
    }

    private static func program(of browser: Browser) throws(BenchmarkError) -> String {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
        for name in browser.programs {
            for folder in folders where FileManager.default.isExecutableFile(atPath: "\(folder)/\(name)") {
                return "\(folder)/\(name)"
            }
        }
        throw BenchmarkError(
            .unavailable,
            "there is no \(browser.programs[0]) on the PATH; install it (on Debian the package \(browser.package)), or measure "
                + "with --client swift"
        )
    }

    /// The browser sees one page and one server, both of this measurement; that is why it may run without a sandbox, which
    /// it cannot have as root, and accept the server's certificate unseen.
    private static let chromiumArguments = [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--no-default-browser-check", "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--disable-default-apps", "--disable-extensions", "--metrics-recording-only", "--no-pings",
        "--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows",
        "--disable-renderer-backgrounding", "--no-proxy-server", "--ignore-certificate-errors",
    ]

    /// A line of the file in which Firefox keeps the certificates that its user has accepted: the host, no attributes of
    /// its origin, SHA-256 by its object identifier, and the hash.
    private static func override(of certificate: CertificateFingerprint, _ authority: String) -> String {
        let hash = certificate.bytes.map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }.joined(separator: ":")
        return "\(authority):\tOID.2.16.840.1.101.3.4.2.1\t\(hash)\t\n"
    }

    /// Nothing is fetched, reported or resumed.
    private static let firefoxPreferences = [
        ("app.normandy.enabled", "false"), ("app.update.enabled", "false"), ("browser.aboutwelcome.enabled", "false"),
        ("browser.newtabpage.enabled", "false"), ("browser.newtabpage.activity-stream.feeds.topsites", "false"),
        ("browser.newtabpage.activity-stream.feeds.system.topsites", "false"), ("browser.region.network.url", "\"\""),
        ("browser.region.update.enabled", "false"), ("browser.safebrowsing.downloads.enabled", "false"),
        ("browser.safebrowsing.malware.enabled", "false"), ("browser.safebrowsing.phishing.enabled", "false"),
        ("browser.safebrowsing.update.enabled", "false"), ("browser.search.update", "false"),
        ("browser.sessionstore.resume_from_crash", "false"), ("browser.shell.checkDefaultBrowser", "false"),
        ("browser.startup.homepage_override.mstone", "\"ignore\""), ("browser.startup.page", "0"),
        ("browser.topsites.contile.enabled", "false"), ("browser.topsites.useRemoteSetting", "false"),
        ("datareporting.healthreport.uploadEnabled", "false"), ("datareporting.policy.dataSubmissionEnabled", "false"),
        ("dom.push.connection.enabled", "false"), ("extensions.getAddons.cache.enabled", "false"),
        ("extensions.systemAddon.update.enabled", "false"), ("extensions.update.enabled", "false"),
        ("media.gmp-manager.updateEnabled", "false"), ("network.captive-portal-service.enabled", "false"),
        ("network.connectivity-service.enabled", "false"), ("network.dns.disablePrefetch", "true"),
        ("network.prefetch-next", "false"), ("network.proxy.type", "0"),
        ("services.settings.server", "\"data:,#remote-settings-dummy/v1\""),
        ("toolkit.startup.max_resumed_crashes", "-1"), ("toolkit.telemetry.enabled", "false"),
        ("toolkit.telemetry.server", "\"\""), ("toolkit.telemetry.unified", "false"),
    ].map { "user_pref(\"\($0.0)\", \($0.1));\n" }.joined()
}
