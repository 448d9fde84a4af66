package import NIOCore

/// Adds settings to the SETTINGS frame that nghttp3 writes as the first frame of its control stream.
///
/// No released nghttp3 lets its user choose settings. The bytes pass through here until the frame is complete, then the
/// longer one goes out in its place; what follows passes untouched. A setting that nghttp3 wrote itself is not repeated
/// (a duplicate is H3_SETTINGS_ERROR, RFC 9114 § 7.2.4).
package struct SettingsSplicer: ~Copyable {
    private enum State: ~Copyable {
        case collecting(ByteBuffer)
        case passing
    }
    private var state: State
    private let additional: [Setting]

    package init(adding additional: [Setting]) {
        self.state = .collecting(ByteBuffer())
        self.additional = additional
    }

    private init(_ state: consuming State, adding additional: [Setting]) {
        self.state = state
        self.additional = additional
    }

    /// Takes the next bytes of the control stream.
    /// - Returns: the bytes to send, which may be none yet.
    package mutating func process(_ bytes: ByteBuffer) -> ByteBuffer {
        switch consume self.state {
        case .passing:
            self = .init(.passing, adding: self.additional)
            return bytes
        case .collecting(var collected):
            collected.writeImmutableBuffer(bytes)
            guard let spliced = Self.splice(collected, adding: self.additional) else {
                self = .init(.collecting(collected), adding: self.additional)
                return ByteBuffer()
            }
            self = .init(.passing, adding: self.additional)
            return spliced
        }
    }

    /// Nil until the stream type and the whole SETTINGS frame are there.
    private static func splice(_ collected: ByteBuffer, adding additional: [Setting]) -> ByteBuffer? {
        var input = collected
        guard
            let streamType = input.readEncodedInteger(as: UInt64.self, strategy: .quic),
            let header = FrameHeader(from: &input),
            var payload = input.readSlice(length: Int(clamping: header.length))
        else { return nil }
        guard header.type == FrameHeader.settings, var settings = payload.readSettings() else {
            preconditionFailure("nghttp3 begins its control stream with SETTINGS")
        }
        for setting in additional where !settings.contains(where: { $0.identifier == setting.identifier }) {
            settings.append(setting)
        }
        var newPayload = ByteBuffer()
        newPayload.writeSettings(settings)
        var output = ByteBuffer()
        output.writeEncodedInteger(streamType, strategy: .quic)
        output.writeEncodedInteger(header.type, strategy: .quic)
        output.writeEncodedInteger(UInt64(newPayload.readableBytes), strategy: .quic)
        output.writeImmutableBuffer(newPayload)
        output.writeImmutableBuffer(input)
        return output
    }
}
