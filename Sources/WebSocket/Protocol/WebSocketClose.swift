/// A close code (RFC 6455 § 7.4).
public struct WebSocketCloseCode: RawRepresentable, Hashable, Sendable, ExpressibleByIntegerLiteral,
    CustomStringConvertible
{
    /// The number on the wire.
    public var rawValue: UInt16

    /// Takes any number; whether it may be sent is decided when it is.
    public init(rawValue: UInt16) { self.rawValue = rawValue }
    public init(integerLiteral value: UInt16) { self.rawValue = value }

    /// `1000`: the purpose of the session is fulfilled.
    public static var normal: Self { 1000 }
    /// `1001`: the server shuts down, or the page is left.
    public static var goingAway: Self { 1001 }
    /// `1002`: the peer broke the protocol.
    public static var protocolError: Self { 1002 }
    /// `1003`: a kind of message that is not accepted.
    public static var unsupportedData: Self { 1003 }
    /// `1005`: the peer's Close frame held no code. Never sent.
    public static var noStatus: Self { 1005 }
    /// `1006`: the connection ended without a Close frame. Never sent.
    public static var abnormal: Self { 1006 }
    /// `1007`: text that is not UTF-8.
    public static var invalidPayload: Self { 1007 }
    /// `1008`: against the receiver's policy.
    public static var policyViolation: Self { 1008 }
    /// `1009`: a message larger than the receiver accepts.
    public static var messageTooLarge: Self { 1009 }
    /// `1011`: the server met an unexpected condition.
    public static var internalError: Self { 1011 }

    /// Whether it may stand in a Close frame: assigned by the RFC or IANA's registry, or of an application's range.
    /// 1004, 1005, 1006 and 1015 are for other uses (RFC 6455 § 7.4.1).
    public var isSendable: Bool {
        switch self.rawValue {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }

    public var description: String { "\(self.rawValue)" }
}

/// How a session ended.
public struct WebSocketClose: Hashable, Sendable {
    /// The peer's code; 1005 when it gave none, 1006 when the connection was lost. When this side ended the session
    /// because the peer broke a rule, the code that says which.
    public var code: WebSocketCloseCode
    /// At most 123 bytes of UTF-8 (RFC 6455 § 5.5).
    public var reason: String
    /// Whether both sides said that they close.
    public var wasClean: Bool

    /// Puts a close together, for comparison.
    public init(code: WebSocketCloseCode, reason: String = "", wasClean: Bool) {
        self.code = code
        self.reason = reason
        self.wasClean = wasClean
    }
}
