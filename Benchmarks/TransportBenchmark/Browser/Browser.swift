/// A browser that can be started without a screen and told to accept one certificate.
public enum Browser: String, Sendable, Hashable, CaseIterable, Codable {
    case chromium, firefox

    /// What its program may be called, the likeliest first.
    var programs: [String] {
        switch self {
        case .chromium: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
        case .firefox: ["firefox-esr", "firefox"]
        }
    }

    /// How to get it on Debian.
    var package: String {
        switch self {
        case .chromium: "chromium"
        case .firefox: "firefox-esr"
        }
    }
}
