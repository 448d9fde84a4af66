package import HTTPSemantics
import HTTPTypes
package import NIOCore

// WebSockets in connections that the server does not know.

extension WebSocketServer {
    /// Takes WebSockets over HTTP/3 (RFC 9220), which `run` serves like all others: the same policy, limits and
    /// handler.
    ///
    /// - Parameter idleTimeout: what the connections that carry them end after when nothing is heard of the peer.
    package func tunnels(idleTimeout: TimeAmount) -> TunnelService {
        let core = self.core
        return TunnelService(name: OpeningHandshake.protocolName) { request, remote, eventLoop in
            switch core.open(request, over: .http3, from: remote, on: eventLoop, idleTimeout: idleTimeout) {
            case .refused(var response):
                response.head.headerFields[.contentLength] = "\(response.body.readableBytes)"
                return .refuse(response)
            case .accepted(let opening, _):
                let connection = opening.connection
                core.tunnelOpened(connection)
                let member = ObjectIdentifier(connection)
                connection.onClose = {
                    core.sessionClosed()
                    core.tunnelClosed(member)
                }
                // When it has its tunnel.
                eventLoop.assumeIsolated().execute { opening.begin() }
                return .accept(opening.response, connection)
            }
        }
    }
}
