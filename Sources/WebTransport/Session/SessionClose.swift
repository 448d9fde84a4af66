package import NIOCore

/// How a session ended: the content of WT_CLOSE_SESSION (draft-ietf-webtrans-http3 § 6).
public struct SessionClose: Sendable, Hashable {
    /// The application's code; 0 when none was given.
    public var code: UInt32
    /// The application's words, at most 1,024 bytes of UTF-8.
    public var reason: String

    /// The longest reason, in bytes.
    public static let maxReasonSize = 1024

    /// A reason that is too long is cut at a character boundary.
    public init(code: UInt32 = 0, reason: String = "") {
        self.code = code
        self.reason = Self.truncated(reason)
    }

    /// Reads the payload of a WT_CLOSE_SESSION capsule; nil when it is too short, too long, or not UTF-8.
    package init?(payload: ByteBuffer) {
        var payload = payload
        guard let code = payload.readInteger(as: UInt32.self), payload.readableBytes <= Self.maxReasonSize else {
            return nil
        }
        guard let reason = String(validating: payload.readableBytesView, as: UTF8.self) else { return nil }
        self.code = code
        self.reason = reason
    }

    package var payload: ByteBuffer {
        var payload = ByteBuffer()
        payload.writeInteger(self.code)
        payload.writeString(self.reason)
        return payload
    }

    private static func truncated(_ reason: String) -> String {
        guard reason.utf8.count > Self.maxReasonSize else { return reason }
        var size = 0
        let kept = reason.prefix { character in
            size += character.utf8.count
            return size <= Self.maxReasonSize
        }
        return String(kept)
    }
}
