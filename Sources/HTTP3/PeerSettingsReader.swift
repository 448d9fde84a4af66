package import NIOCore

/// Reads the SETTINGS frame of the peer's control stream in passing, while nghttp3 reads it too.
///
/// nghttp3 0.8 does not report settings at all, and later generations only those that they know.
package struct PeerSettingsReader: ~Copyable {
    private enum State: ~Copyable {
        case collecting(ByteBuffer)
        case done
    }
    private var state: State

    /// Settings that matter take some 60 bytes; a larger frame is somebody's experiment, or an attack on memory.
    private static let maxFrameSize = 4096

    package init() {
        self.state = .collecting(ByteBuffer())
    }

    private init(_ state: consuming State) {
        self.state = state
    }

    /// Takes the next bytes of the control stream, behind its type.
    /// - Returns: the settings, once, when the frame is complete.
    /// - Throws: what makes the frame unreadable here, and what nghttp3 0.8 lets pass: a setting that stands in it
    ///   twice, or has a value that it cannot have. That it comes first is for nghttp3 to enforce.
    package mutating func process(_ bytes: ByteBuffer) throws(HTTP3Error) -> [Setting]? {
        switch consume self.state {
        case .done:
            self = .init(.done)
            return nil
        case .collecting(var collected):
            collected.writeImmutableBuffer(bytes)
            var input = collected
            guard let header = FrameHeader(from: &input), header.type == FrameHeader.settings else {
                // Another first frame: nghttp3 closes the connection.
                self = collected.readableBytes < 16 ? .init(.collecting(collected)) : .init(.done)
                return nil
            }
            guard header.length <= UInt64(Self.maxFrameSize) else {
                self = .init(.done)
                throw HTTP3Error(.settings)
            }
            guard var payload = input.readSlice(length: Int(header.length)) else {
                self = .init(.collecting(collected))
                return nil
            }
            self = .init(.done)
            guard let settings = payload.readSettings() else {
                throw HTTP3Error(.frameError, "a SETTINGS frame that ends within a setting")
            }
            guard Set(settings.map(\.identifier)).count == settings.count else {
                // RFC 9114 § 7.2.4: the same identifier must not occur more than once.
                throw HTTP3Error(.settingsError, "a SETTINGS frame with the same setting twice")
            }
            for setting in settings where Setting.Identifier.switches.contains(setting.identifier) {
                guard setting.value <= 1 else {
                    // RFC 9297 § 2.1.1 and RFC 8441 § 3 with RFC 9220 § 5: these are either 0 or 1.
                    throw HTTP3Error(.settingsError, "a setting that is on or off has the value \(setting.value)")
                }
            }
            return settings
        }
    }
}
