/// A generation of WebTransport over HTTP/3: drafts that differ in how an endpoint says that it speaks WebTransport.
///
/// A later one is greater. What the endpoints do afterwards is the same here, whichever they speak.
package enum Dialect: Hashable, Sendable, Comparable, CaseIterable {
    /// Chromium 156 and Firefox 153.
    case draft02
    /// Up to draft-12: retail Safari.
    case draft07
    /// And draft-14: Safari's other half.
    case draft13
    /// And draft-16. No browser so far.
    ///
    /// It wants RESET_STREAM_AT as well (§ 3.1), which no release of ngtcp2 has. A peer that insists on it sees by the
    /// transport parameters that it is not there, whatever the settings say; for one that does not (pywebtransport
    /// 0.21) there is no other dialect.
    case draft15

    /// Whether an endpoint announces it.
    package func isAnnounced(by settings: SettingValues) -> Bool {
        switch self {
        // draft-02 § 3.1 allows 0 and 1 only.
        case .draft02: settings[.enableWebTransport] == 1
        case .draft07: settings[.webTransportMaxSessions] > 0
        case .draft13: settings[.wtMaxSessions] > 0
        case .draft15: settings[.wtEnabled] == 1
        }
    }

    /// What `:protocol` says: draft-15 gave `webtransport` to WebTransport over HTTP/2.
    package var connectProtocol: String {
        self < .draft15 ? "webtransport" : "webtransport-h3"
    }
}
