/// An HTTP/3 error code (RFC 9114 § 8.1; RFC 9297 § 5.2).
package struct HTTP3ErrorCode: Hashable, Sendable {
    package var rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// The peer violated HTTP/3 in a way that has no code of its own.
    package static var generalProtocolError: Self { Self(rawValue: 0x101) }
    package static var internalError: Self { Self(rawValue: 0x102) }
    /// The end of a connection or stream, without an error.
    package static var h3NoError: Self { Self(rawValue: 0x100) }
    /// The peer asks for more than this end is willing to spend.
    package static var excessiveLoad: Self { Self(rawValue: 0x107) }
    package static var idError: Self { Self(rawValue: 0x108) }
    package static var settingsError: Self { Self(rawValue: 0x109) }
    package static var frameError: Self { Self(rawValue: 0x106) }
    package static var requestRejected: Self { Self(rawValue: 0x10b) }
    package static var requestCancelled: Self { Self(rawValue: 0x10c) }
    package static var requestIncomplete: Self { Self(rawValue: 0x10d) }
    package static var messageError: Self { Self(rawValue: 0x10e) }
    package static var datagramError: Self { Self(rawValue: 0x33) }
}

/// A violation of HTTP/3 that ends the connection.
package struct HTTP3Error: Error, Sendable {
    package var code: HTTP3ErrorCode
    package var message: String
    /// The limit that the peer has gone beyond, if it is that.
    package internal(set) var limit: Limit?

    package init(_ code: HTTP3ErrorCode, _ message: String) {
        self.code = code
        self.message = message
    }
}

extension HTTP3Error: CustomStringConvertible {
    package var description: String { "\(self.message) (HTTP/3 code 0x\(String(self.code.rawValue, radix: 16)))" }
}
