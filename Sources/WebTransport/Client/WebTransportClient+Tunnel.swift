package import HTTPSemantics
package import NIOCore

extension WebTransportClient {
    /// Where the client's connections live.
    package var eventLoop: any EventLoop { self.endpoint.eventLoop }

    /// Opens a connection for one tunnel: an extended CONNECT for a protocol that this module does not speak (RFC 9220).
    /// The connection closes with the tunnel.
    /// - Parameters:
    ///   - target: where the tunnel is asked for.
    ///   - makeRequest: makes the request, on the client's loop. It keeps the promise.
    /// - Returns: what the request makes of the tunnel.
    /// - Throws: what the promise fails with, `WebTransportError` when there is no answer.
    package func openTunnel<Result: Sendable>(
        to target: SessionURL,
        _ makeRequest: @escaping @Sendable (EventLoopPromise<Result>) -> any TunnelRequest
    ) async throws -> Result {
        let address = try await resolve(target.host, port: target.port)
        return try await self.open(to: address, serverName: target.host, isEarly: false) { promise in
            let tunnel = ClientTunnel(makeRequest(promise))
            return (.tunnelling(tunnel), { tunnel.fail($0) })
        }
    }
}
