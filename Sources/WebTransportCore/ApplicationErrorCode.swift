/// A stream's error code as a WebTransport application sees it, and as it travels (draft-ietf-webtrans-http3 § 4.4).
///
/// Application codes take 32 bits. On the wire they occupy a reserved range of HTTP/3's error codes, which skips every
/// code that HTTP/3 reserves for greasing.
package enum ApplicationErrorCode {
    private static let first: UInt64 = 0x52e4_a40f_a8db
    private static let last: UInt64 = 0x52e5_ac98_3162

    /// The HTTP/3 error code for an application's code.
    package static func wireCode(for code: UInt32) -> UInt64 {
        let code = UInt64(code)
        return Self.first + code + code / 0x1e
    }

    /// The application's code, or nil when the peer's HTTP/3 error code is none.
    package static func applicationCode(for wireCode: UInt64) -> UInt32? {
        guard (Self.first...Self.last).contains(wireCode), (wireCode - 0x21) % 0x1f != 0 else { return nil }
        let shifted = wireCode - Self.first
        return UInt32(shifted - shifted / 0x1f)
    }
}

/// WebTransport's own HTTP/3 error codes (draft-ietf-webtrans-http3 § 9.5).
package enum WebTransportErrorCode {
    /// WT_BUFFERED_STREAM_REJECTED: no room for a stream whose session is not known yet.
    package static let bufferedStreamRejected: UInt64 = 0x3994_bd84
    /// WT_SESSION_GONE: the session of the stream has ended.
    package static let sessionGone: UInt64 = 0x170d_7b68
    /// WT_FLOW_CONTROL_ERROR: the peer broke a limit of the session, or a rule for limits.
    package static let flowControlError: UInt64 = 0x045d_4487
    /// WT_ALPN_ERROR: the server chose an application protocol that the client had not offered.
    package static let alpnError: UInt64 = 0x0817_b3dd
}
