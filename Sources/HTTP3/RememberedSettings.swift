import NIOCore

/// The settings that a server had when it issued a ticket. They hold for requests that are sent before its new ones
/// arrive (RFC 9114 § 7.2.4.2).
package struct RememberedSettings: Hashable, Sendable {
    private let settings: [Setting]

    package init(_ settings: [Setting]) { self.settings = settings }

    /// - Parameter encoded: what `encoded` gave; nil when it is something else.
    package init?(encoded: [UInt8]) {
        var bytes = ByteBuffer(bytes: encoded)
        guard let settings = bytes.readSettings() else { return nil }
        self.init(settings)
    }

    /// For whoever keeps them: the payload of a SETTINGS frame.
    package var encoded: [UInt8] {
        var bytes = ByteBuffer()
        bytes.writeSettings(self.settings)
        return Array(bytes.readableBytesView)
    }

    /// Those that this implementation understands, each with the value that it has when it is not sent: the fewer
    /// limits and the more abilities, the larger the value. WebTransport's are not among them, since no session is
    /// asked for early.
    private static let understood: [(identifier: Setting.Identifier, defaultValue: UInt64)] = [
        (.qpackMaxTableCapacity, 0), (.maxFieldSectionSize, .max), (.qpackBlockedStreams, 0),
        (.enableConnectProtocol, 0), (.h3Datagram, 0),
    ]

    /// Throws when a server that has accepted early data has other settings now than those on which the client relied:
    /// the limits may not be reduced, nor what was specified be omitted (RFC 9114 § 7.2.4.2; RFC 9297 § 2.1.1).
    package func check(against settings: [Setting]) throws(HTTP3Error) {
        func value(_ setting: (identifier: Setting.Identifier, defaultValue: UInt64), in settings: [Setting]) -> UInt64
        { settings.first { $0.identifier == setting.identifier }?.value ?? setting.defaultValue }
        for setting in Self.understood where value(setting, in: settings) < value(setting, in: self.settings) {
            let identifier = String(setting.identifier.rawValue, radix: 16)
            throw HTTP3Error(.settingsError, "setting 0x\(identifier) is less than when early data was promised")
        }
    }
}
