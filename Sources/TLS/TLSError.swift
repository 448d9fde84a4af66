/// Why a TLS connection could not be made or did not end as it should.
package struct TLSError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of failure it is.
    package struct Code: Hashable, Sendable {
        private enum Value {
            case handshakeFailed, handshakeTimedOut, alertReceived, truncated, renegotiation, protocolViolation
            case tooMuchBeforeHandshake, library
        }

        private let value: Value

        private init(_ value: Value) { self.value = value }

        /// The peers could not agree, or the peer does not speak TLS.
        package static var handshakeFailed: Self { Self(.handshakeFailed) }
        /// The peer did not finish the handshake in time.
        package static var handshakeTimedOut: Self { Self(.handshakeTimedOut) }
        /// The peer gave up and said why.
        package static var alertReceived: Self { Self(.alertReceived) }
        /// The connection ended without close_notify: the last bytes may be missing (RFC 8446 § 6.1).
        package static var truncated: Self { Self(.truncated) }
        /// The peer asked for a renegotiation, which is off.
        package static var renegotiation: Self { Self(.renegotiation) }
        /// The peer sent a record that is not valid.
        package static var protocolViolation: Self { Self(.protocolViolation) }
        /// More was written before the end of the handshake than is kept.
        package static var tooMuchBeforeHandshake: Self { Self(.tooMuchBeforeHandshake) }
        /// GnuTLS could not be set up.
        package static var library: Self { Self(.library) }
    }

    package let code: Code
    /// One sentence that says what happened.
    package let message: String

    package var description: String { self.message }
}
