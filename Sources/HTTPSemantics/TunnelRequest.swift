package import HTTPTypes
package import NIOCore

/// A client's request for a tunnel: an extended CONNECT (RFC 8441 § 4) for a protocol that the connection does not speak
/// itself. It belongs to the connection's loop, and hears one of its two calls, once.
package protocol TunnelRequest: AnyObject {
    /// With its `:protocol`.
    var head: HTTPRequest { get }

    /// The final answer has come.
    /// - Parameter isResumed: whether the connection's handshake was shortened by an earlier one (RFC 8446 § 2.2).
    /// - Returns: who takes what follows it; nil when there shall be no tunnel.
    func answered(with response: HTTPResponse, from remote: SocketAddress, isResumed: Bool) -> (any TunnelUser)?
    /// There will be no answer.
    func fail(_ error: any Error)
}
