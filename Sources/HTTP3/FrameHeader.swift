import NIOCore

/// The type and length before each frame's payload (RFC 9114 § 7.1).
struct FrameHeader {
    var type: UInt64
    var length: UInt64

    static let settings: UInt64 = 0x04

    /// Reads a header, or nil and nothing when it has not arrived whole.
    init?(from buffer: inout ByteBuffer) {
        let start = buffer.readerIndex
        guard
            let type = buffer.readEncodedInteger(as: UInt64.self, strategy: .quic),
            let length = buffer.readEncodedInteger(as: UInt64.self, strategy: .quic)
        else {
            buffer.moveReaderIndex(to: start)
            return nil
        }
        self.type = type
        self.length = length
    }
}

extension ByteBuffer {
    /// Reads the settings of a SETTINGS frame's payload, or nil when it ends within one.
    mutating func readSettings() -> [Setting]? {
        var settings: [Setting] = []
        while self.readableBytes > 0 {
            guard
                let identifier = self.readEncodedInteger(as: UInt64.self, strategy: .quic),
                let value = self.readEncodedInteger(as: UInt64.self, strategy: .quic)
            else { return nil }
            settings.append(Setting(.init(rawValue: identifier), value))
        }
        return settings
    }

    mutating func writeSettings(_ settings: [Setting]) {
        for setting in settings {
            self.writeEncodedInteger(setting.identifier.rawValue, strategy: .quic)
            self.writeEncodedInteger(setting.value, strategy: .quic)
        }
    }
}
