import NIOCore

extension WebSocketConnection {
    /// The limits of a connection.
    struct Limits: Sendable {
        var maxMessageSize: Int
        /// After this long without a sign of the peer it is asked for one; after twice as long it is given up. Nil:
        /// never.
        var pingInterval: TimeAmount?
        /// How long the peer may take to answer a Close frame and to let the connection end.
        var closeTimeout: TimeAmount
    }
}
