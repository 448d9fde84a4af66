package import HTTPTypes
package import NIOCore

/// A stream of bytes in both directions that a request has opened: what is left of a connection after an upgrade
/// (RFC 9110 § 7.8), or the stream of an extended CONNECT (RFC 8441 § 4, RFC 9220 § 3).
///
/// Both ends belong to one event loop; neither is `Sendable`.
package protocol Tunnel: AnyObject {
    /// Whether the user should write more now. What it writes all the same is kept.
    var isWritable: Bool { get }
    /// While the user should not write more, this changes when the peer has taken another 32 KiB, or less.
    var progress: Int { get }

    /// Queues bytes for the peer. They leave with the next `flush`.
    func write(_ bytes: ByteBuffer)
    func flush()
    /// Ends this end's direction behind what was written.
    func finish()
    /// Gives up both directions at once. `TunnelUser.closed` follows.
    func abort()
    /// The user wants bytes again, after it did not.
    func resumeReading()
}

/// Who reads and writes at this end of a tunnel.
package protocol TunnelUser: AnyObject {
    /// While it wants none, flow control holds the peer up.
    var wantsBytes: Bool { get }

    /// Called when the request has been answered, before anything else.
    func begin(on tunnel: any Tunnel)
    func received(_ bytes: ByteBuffer)
    /// Nothing more will come behind what was received. This end's direction is still open.
    func peerFinished()
    func writabilityChanged()
    /// The server shuts down: the user should come to an end.
    func shutDown()
    /// The last call: both directions have ended, in whatever way.
    func closed()
}

/// Takes the tunnels of one protocol that a server of HTTP/3 does not speak itself.
package struct TunnelService: Sendable {
    /// What becomes of a request.
    package enum Answer {
        case refuse(ResourceResponse)
        /// The response, and who takes what follows it.
        case accept(HTTPResponse, any TunnelUser)
    }

    /// The value of `:protocol`.
    package let name: String
    /// Decides on a request from an address. It is called on the connection's event loop, and must not block.
    package let open: @Sendable (HTTPRequest, SocketAddress, any EventLoop) -> Answer

    package init(
        name: String,
        open: @escaping @Sendable (HTTPRequest, SocketAddress, any EventLoop) -> Answer
    ) {
        self.name = name
        self.open = open
    }
}
