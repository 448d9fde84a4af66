/// Which dialects of WebTransport over HTTP/3 this implementation offers and understands.
///
/// No browser speaks the newest draft: Chromium and Firefox speak draft-02, Safari draft-07 to 13. The dialects differ
/// in how an endpoint says that it speaks WebTransport; what they do afterwards is the same here.
package enum Negotiation {
    /// Settings by identifier and value. WT_ENABLED of draft-15 (0x2c7cf000) is left out: it promises RESET_STREAM_AT,
    /// which no release of ngtcp2 has.
    package static let offeredSettings: [(identifier: UInt64, value: UInt64)] = [
        // SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 9220) and SETTINGS_H3_DATAGRAM (RFC 9297).
        (0x08, 1),
        (0x33, 1),
        // ENABLE_WEBTRANSPORT of draft-02. Chromium closes the connection when it is not exactly 1.
        (0x2b60_3742, 1),
        // WEBTRANSPORT_MAX_SESSIONS of draft-07, and of draft-13. More than 1 would promise session flow control.
        (0xc671_706a, 1),
        (0x14e9_cd29, 1),
    ]

    /// Values of `:protocol`: `webtransport` up to draft-14, `webtransport-h3` since draft-15.
    package static let protocols: Set<String> = ["webtransport", "webtransport-h3"]

    /// The `:protocol` that our client sends: every deployed server knows it.
    package static let clientProtocol = "webtransport"

    /// Why a client cannot have sessions, by its settings; nil when it can (draft-ietf-webtrans-http3 § 3.1).
    /// - Parameter takesDatagrams: whether its transport parameters allow datagrams (RFC 9221 § 3).
    package static func reasonAgainstClient(settings: [UInt64: UInt64], takesDatagrams: Bool) -> String? {
        // The second is what SETTINGS_H3_DATAGRAM was called when draft-02 was young.
        guard settings[0x33] == 1 || settings[0xff_d277] == 1 else {
            return "the client's SETTINGS lack H3_DATAGRAM (0x33)"
        }
        return takesDatagrams ? nil : "the client's transport parameters allow no datagrams"
    }

    private static let announcements: [UInt64] = [0x2b60_3742, 0xc671_706a, 0x14e9_cd29, 0x2c7c_f000]

    /// Why a server cannot take WebTransport sessions, by its settings; nil when it can.
    package static func reasonAgainstServer(settings: [UInt64: UInt64]) -> String? {
        guard settings[0x08] == 1 else {
            return
                "the server's SETTINGS lack ENABLE_CONNECT_PROTOCOL (0x08), without which there is no extended CONNECT"
        }
        guard Self.announcements.contains(where: { settings[$0, default: 0] > 0 }) else {
            return "the server's SETTINGS announce no dialect of WebTransport"
        }
        return nil
    }
}
