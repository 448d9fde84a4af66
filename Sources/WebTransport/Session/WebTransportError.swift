import HTTP3
public import HTTPTypes
import QUIC

/// What can go wrong with a session, its streams, or the way to it.
public struct WebTransportError: Error, Sendable {
    /// What kind of failure it is.
    public struct Code: Hashable, Sendable {
        private enum Value: Hashable {
            case sessionClosed, connectionClosed, streamReset, streamStopped, streamFinished, refused
            case notSupported, subprotocolNotOffered, timedOut, invalidURL, bindFailed, invalidArgument, unknownHost
            case tooLarge, socketLost
        }
        private let value: Value
        private init(_ value: Value) { self.value = value }

        /// The session has ended; no stream or datagram of it works any more.
        public static var sessionClosed: Self { Self(.sessionClosed) }
        /// The QUIC connection ended, and its sessions with it.
        public static var connectionClosed: Self { Self(.connectionClosed) }
        /// The peer gave up sending on the stream; `applicationCode` says why.
        public static var streamReset: Self { Self(.streamReset) }
        /// The peer gave up receiving on the stream; `applicationCode` says why, when it is known already.
        public static var streamStopped: Self { Self(.streamStopped) }
        /// This end has finished or reset the stream.
        public static var streamFinished: Self { Self(.streamFinished) }
        /// The server refused the session; `status` says why.
        public static var refused: Self { Self(.refused) }
        /// The server does not speak WebTransport.
        public static var notSupported: Self { Self(.notSupported) }
        /// The server chose an application protocol that this end had not offered.
        public static var subprotocolNotOffered: Self { Self(.subprotocolNotOffered) }
        /// No answer within the time allowed.
        public static var timedOut: Self { Self(.timedOut) }
        /// The text is not an https URL.
        public static var invalidURL: Self { Self(.invalidURL) }
        /// The host's name cannot be resolved.
        public static var unknownHost: Self { Self(.unknownHost) }
        /// A resource is larger than the client takes.
        public static var tooLarge: Self { Self(.tooLarge) }
        /// An argument is out of its range.
        public static var invalidArgument: Self { Self(.invalidArgument) }
        /// A server's address or port cannot be had.
        public static var bindFailed: Self { Self(.bindFailed) }
        /// A server has lost its last socket, and hears nobody any more.
        public static var socketLost: Self { Self(.socketLost) }
    }

    /// What kind of failure it is.
    public var code: Code
    /// One sentence for a person.
    public var message: String
    /// The application's error code of a reset or stopped stream.
    public var applicationCode: UInt32?
    /// The response's status when a session was refused.
    public var status: HTTPResponse.Status?
    /// The server has done nothing with the request (H3_REQUEST_REJECTED, RFC 9114 § 4.1.1).
    var isOfUnprocessedRequest = false

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    static func connectionClosed(_ reason: ConnectionCloseReason) -> Self {
        Self(.connectionClosed, reason.description)
    }

    static func notSupported(_ why: String) -> Self { Self(.notSupported, why) }

    static func refused(_ status: HTTPResponse.Status) -> Self {
        var error = Self(.refused, "the server refused the session with status \(status)")
        error.status = status
        return error
    }

    static func reset(http3Code code: UInt64) -> Self {
        var error = Self(.refused, "the server refused the session with HTTP/3 code 0x\(String(code, radix: 16))")
        error.isOfUnprocessedRequest = code == HTTP3.HTTP3ErrorCode.requestRejected.rawValue
        return error
    }

    /// RFC 9114 § 5.2.
    static var unprocessed: Self {
        var error = Self(.refused, "the server goes away, and has not looked at the request")
        error.isOfUnprocessedRequest = true
        return error
    }

    /// RFC 9114 § 4.1.2.
    static var malformedResponse: Self { Self(.refused, "what the server answered is no response of HTTP/3") }

    static func subprotocolNotOffered(_ name: String) -> Self {
        Self(.subprotocolNotOffered, "the server chose the application protocol \(name.debugDescription), not offered")
    }

    static func streamReset(_ code: UInt32?) -> Self {
        var error = Self(.streamReset, "the peer reset the stream with code \(code.map(String.init) ?? "unknown")")
        error.applicationCode = code
        return error
    }

    static func streamStopped(_ code: UInt32?) -> Self {
        var error = Self(.streamStopped, "the peer stopped the stream with code \(code.map(String.init) ?? "unknown")")
        error.applicationCode = code
        return error
    }

    static var streamFinished: Self { Self(.streamFinished, "the stream was finished or reset at this end") }
    static var sessionClosed: Self { Self(.sessionClosed, "the session has ended") }
}

extension WebTransportError: CustomStringConvertible {
    public var description: String { self.message }
}
