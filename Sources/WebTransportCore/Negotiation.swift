/// What this end says of WebTransport in its SETTINGS.
package struct WebTransportOffer: Hashable, Sendable {
    /// Sessions that a server takes on one connection at a time, or that a client puts there.
    package let maxSessions: Int
    /// What the peer may send at the beginning of each session; nil when this end does not limit sessions.
    package let sessionLimits: SessionLimits?

    /// One session on a connection, with the limits of QUIC alone. It is what every browser works with.
    ///
    /// Limits of sessions are not offered unless somebody asks for several sessions: no browser pools them (Chromium
    /// 156 and Firefox 153 open a connection for each, whatever `allowPooling` says), and of Safari 26.4 it is reported
    /// that it gives up a session when SETTINGS_WT_INITIAL_* are there. Chromium and Firefox do not mind them.
    package static var oneSession: Self { Self(maxSessions: 1, sessionLimits: nil) }

    /// Several sessions on a connection, each within limits (draft-ietf-webtrans-http3 § 5.1 demands them).
    package static func severalSessions(_ maxSessions: Int, limits: SessionLimits) -> Self {
        Self(maxSessions: maxSessions, sessionLimits: limits)
    }

    /// In the order in which they are sent.
    package var settings: [(identifier: SettingIdentifier, value: UInt64)] {
        var settings: [(SettingIdentifier, UInt64)] = [
            (.enableConnectProtocol, 1),
            (.h3Datagram, 1),
            // Chromium closes the connection when it is not exactly 1.
            (.enableWebTransport, 1),
            // Draft-07 has sessions without limits of their own: it is never offered more than one.
            (.webTransportMaxSessions, 1),
            // iOS refuses more than 1 without initial limits, which here come with it.
            (.wtMaxSessions, UInt64(self.maxSessions)),
            // Clients, too, while it is a draft (draft-16 § 3.1): pywebtransport's server closes the connection of
            // others.
            (.wtEnabled, 1),
        ]
        if let limits = self.sessionLimits {
            settings += [
                (.wtInitialMaxData, limits.data),
                (.wtInitialMaxStreamsUni, limits.unidirectionalStreams),
                (.wtInitialMaxStreamsBidi, limits.bidirectionalStreams),
            ]
        }
        return settings
    }
}

/// What two endpoints have agreed on by their SETTINGS: the one place where dialects are told apart.
package struct Negotiation: Hashable, Sendable {
    /// Who asks: only a client opens sessions.
    package enum Role: Hashable, Sendable {
        case client
        case server
    }

    /// The newest dialect that the peer announces, as this end does all. Nil when it announces none.
    package let dialect: Dialect?
    /// Limits of sessions, when both ends have declared that they keep them.
    package let flowControl: FlowControl?
    /// Sessions that the client may have on this connection at a time.
    package let maxSessions: Int
    /// Whether the peer keeps limits of sessions although this end states none. Safari is reported to open no stream
    /// then until it gets credit, so it gets all there is; for any other peer the capsules mean nothing (§ 5.1).
    package let peerExpectsCredit: Bool

    /// The initial limits of each session.
    package struct FlowControl: Hashable, Sendable {
        /// What the peer may send.
        package let granted: SessionLimits
        /// What this end may send.
        package let received: SessionLimits

        package init(granted: SessionLimits, received: SessionLimits) {
            self.granted = granted
            self.received = received
        }
    }

    /// - Parameter peer: its SETTINGS, which must have arrived: no dialect processes WebTransport before
    ///   (draft-13 § 7.1).
    package init(as role: Role, offering offer: WebTransportOffer, to peer: SettingValues) {
        self.dialect = Dialect.allCases.last { $0.isAnnounced(by: peer) }
        let initialLimits = SessionLimits(in: peer)
        // Draft-14 § 5.1: one of these declares it. Draft-15 dropped the number of sessions, together with its setting.
        let peerKeepsLimits = initialLimits != nil || peer[.wtMaxSessions] > 1
        if peerKeepsLimits, let granted = offer.sessionLimits {
            self.flowControl = FlowControl(granted: granted, received: initialLimits ?? .none)
        } else {
            self.flowControl = nil
        }
        self.peerExpectsCredit = role == .server && self.flowControl == nil && initialLimits != nil
        self.maxSessions =
            switch (self.flowControl, role) {
            case (nil, _): 1
            case (_, .server): offer.maxSessions
            // § 5.2: since draft-15 a server refuses one by one what is too much; it may still announce the number as
            // well.
            case (_, .client) where self.dialect == .draft15 && peer[.wtMaxSessions] == 0: offer.maxSessions
            case (_, .client): min(offer.maxSessions, max(1, Int(clamping: peer[.wtMaxSessions])))
            }
    }

    /// Values of `:protocol` that begin a session.
    package static let connectProtocols = Set(Dialect.allCases.map(\.connectProtocol))

    /// Why a client cannot have sessions, by its settings; nil when it can (draft-ietf-webtrans-http3 § 3.1).
    /// - Parameter takesDatagrams: whether its transport parameters allow datagrams (RFC 9221 § 3).
    package static func reasonAgainstClient(_ settings: SettingValues, takesDatagrams: Bool) -> String? {
        guard settings[.h3Datagram] == 1 || settings[.h3DatagramDraft04] == 1 else {
            return "the client's SETTINGS lack H3_DATAGRAM (0x33)"
        }
        return takesDatagrams ? nil : "the client's transport parameters allow no datagrams"
    }

    /// Why a server cannot take sessions, by its settings; nil when it can.
    package static func reasonAgainstServer(_ settings: SettingValues) -> String? {
        guard settings[.enableConnectProtocol] == 1 else {
            return
                "the server's SETTINGS lack ENABLE_CONNECT_PROTOCOL (0x08), without which there is no extended CONNECT"
        }
        guard Dialect.allCases.contains(where: { $0.isAnnounced(by: settings) }) else {
            return "the server's SETTINGS announce no dialect of WebTransport"
        }
        return nil
    }

    /// Whether a server's SETTINGS end the connection with H3_SETTINGS_ERROR: draft-16 § 3.1 allows WT_ENABLED to be 0
    /// or 1.
    package static func isSettingsError(ofServer settings: SettingValues) -> Bool {
        settings[.wtEnabled] > 1
    }
}
