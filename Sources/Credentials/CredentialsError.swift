import CGnuTLS

/// A certificate or key that cannot be used, with a message that says what to do about it.
public struct CredentialsError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of problem it is.
    public struct Code: Hashable, Sendable {
        private enum Value {
            case unreadable, unwritable, malformed, keyMismatch, expired, notYetValid, invalidRequest
            case untrusted, wrongName, wrongFingerprint, library
        }

        private let value: Value

        private init(_ value: Value) { self.value = value }

        /// A file cannot be read.
        public static var unreadable: Self { Self(.unreadable) }
        /// A file or directory cannot be written.
        public static var unwritable: Self { Self(.unwritable) }
        /// The text is not a certificate or key in PEM.
        public static var malformed: Self { Self(.malformed) }
        /// The private key is not that of the certificate.
        public static var keyMismatch: Self { Self(.keyMismatch) }
        /// The certificate's validity has ended.
        public static var expired: Self { Self(.expired) }
        /// The certificate's validity has not begun.
        public static var notYetValid: Self { Self(.notYetValid) }
        /// A certificate with these hosts or this lifetime cannot be made.
        public static var invalidRequest: Self { Self(.invalidRequest) }
        /// No authority that this system trusts vouches for the peer's certificate.
        public static var untrusted: Self { Self(.untrusted) }
        /// The peer's certificate is for another host.
        public static var wrongName: Self { Self(.wrongName) }
        /// The peer's certificate has none of the expected fingerprints.
        public static var wrongFingerprint: Self { Self(.wrongFingerprint) }
        /// GnuTLS failed in a way that says nothing about the input, such as lack of memory.
        public static var library: Self { Self(.library) }
    }

    /// What kind of problem it is.
    public let code: Code
    /// One sentence: what is wrong and what to do.
    public let message: String

    package init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { self.message }
}

/// The one gate for GnuTLS' result codes in this module.
@discardableResult
func check(
    _ result: Int32,
    code: CredentialsError.Code = .library,
    _ problem: @autoclosure () -> String
) throws(CredentialsError) -> Int32 {
    guard result < 0 else { return result }
    throw CredentialsError(code: code, message: "\(problem()): \(String(cString: gnutls_strerror(result)))")
}
