package import HTTPSemantics
package import HTTPTypes
package import NIOCore

/// A client's request for a session over a connection that this module does not know (RFC 9220). It belongs to the
/// connection's loop.
package final class ExtendedConnectRequest: TunnelRequest {
    private let offer: ClientOffer
    private let eventLoop: any EventLoop
    private var promise: EventLoopPromise<WebSocketSession>?

    /// - Parameters:
    ///   - target: where the session is asked for.
    ///   - promise: gets the session, or why there is none.
    package init(
        to target: SessionURL,
        configuration: WebSocketClientConfiguration,
        eventLoop: any EventLoop,
        promise: EventLoopPromise<WebSocketSession>
    ) {
        self.offer = ClientOffer(to: target, over: .http3, configuration)
        self.eventLoop = eventLoop
        self.promise = promise
    }

    package var head: HTTPRequest { self.offer.request }

    package func answered(with response: HTTPResponse, from remote: SocketAddress, isResumed: Bool) -> (any TunnelUser)?
    {
        guard self.offer.isAccepted(by: response) else {
            self.fail(WebSocketError.refused(response))
            return nil
        }
        do throws(WebSocketError) {
            let (connection, session) = try self.offer.session(
                accepting: response,
                from: remote,
                isResumed: isResumed,
                on: self.eventLoop
            )
            let promise = self.promise.take()
            // When it has its tunnel.
            self.eventLoop.assumeIsolated().execute { promise?.succeed(session) }
            return connection
        } catch {
            self.fail(error)
            return nil
        }
    }

    package func fail(_ error: any Error) {
        self.promise.take()?.fail(error)
    }
}
