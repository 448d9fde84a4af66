public import HTTPTypes

/// Why a WebSocket operation failed, with a message that says what to do where something can be done.
public struct WebSocketError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public struct Code: Hashable, Sendable {
        private enum Value {
            case closed, bindFailed, invalidURL, invalidArgument, connectFailed, timedOut, refused, handshakeFailed
            case unknownHost, notSupported
        }

        private let value: Value

        private init(_ value: Value) { self.value = value }

        /// The session is closed or closing; nothing can be sent.
        public static var closed: Self { Self(.closed) }
        /// A listener could not be opened.
        public static var bindFailed: Self { Self(.bindFailed) }
        /// The text is not the URL of a WebSocket.
        public static var invalidURL: Self { Self(.invalidURL) }
        /// A value that the protocol does not allow, such as a reason that is too long.
        public static var invalidArgument: Self { Self(.invalidArgument) }
        /// The host's name cannot be resolved.
        public static var unknownHost: Self { Self(.unknownHost) }
        /// The server could not be reached, or the connection ended before the session began.
        public static var connectFailed: Self { Self(.connectFailed) }
        /// The session did not begin in time.
        public static var timedOut: Self { Self(.timedOut) }
        /// The server answered with another status than 101; see `response`.
        public static var refused: Self { Self(.refused) }
        /// The session is not to be had in the way that was asked for.
        public static var notSupported: Self { Self(.notSupported) }
        /// The server's answer is not a WebSocket handshake.
        public static var handshakeFailed: Self { Self(.handshakeFailed) }
    }

    /// A server's refusal.
    public struct Response: Sendable, Hashable {
        /// Status and fields.
        public var head: HTTPResponse
        /// The first bytes of the body, as text.
        public var body: String
    }

    /// What kind of failure it is.
    public var code: Code
    /// One sentence.
    public var message: String
    /// What a server that refused has answered.
    public var response: Response?

    init(code: Code, message: String, response: Response? = nil) {
        self.code = code
        self.message = message
        self.response = response
    }

    public var description: String { self.message }

    static func notSupported(_ why: String) -> Self { Self(code: .notSupported, message: why) }

    static var closed: Self { Self(code: .closed, message: "the session is closed") }
}
