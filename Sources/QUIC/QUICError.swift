import CNgtcp2

/// A QUIC operation that failed.
package struct QUICError: Error, Sendable {
    package struct Code: Hashable, Sendable {
        private enum Value {
            case streamLimit
            case closed
            case tls
            case library
        }
        private let value: Value
        private init(_ value: Value) { self.value = value }

        /// The peer does not allow another stream yet.
        package static var streamLimit: Self { Self(.streamLimit) }
        /// The connection is closing or closed.
        package static var closed: Self { Self(.closed) }
        /// GnuTLS refused.
        package static var tls: Self { Self(.tls) }
        /// ngtcp2 refused.
        package static var library: Self { Self(.library) }
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    init(libraryCode: Int32, call: StaticString) {
        self.code =
            switch libraryCode {
            case NGTCP2_ERR_STREAM_ID_BLOCKED: .streamLimit
            case NGTCP2_ERR_CLOSING, NGTCP2_ERR_DRAINING: .closed
            default: .library
            }
        self.message = "\(call): \(String(cString: ngtcp2_strerror(libraryCode)))"
    }
}

extension QUICError: CustomStringConvertible {
    package var description: String { self.message }
}

/// The gate that every result code of ngtcp2 passes which is not an ordinary outcome.
func check(_ result: Int32, _ call: StaticString) throws(QUICError) {
    guard result < 0 else { return }
    throw QUICError(libraryCode: result, call: call)
}
