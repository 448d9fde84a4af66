import HTTPSemantics
import HTTPTypes
import NIOCore

/// A client's request for a tunnel, which its connection is for, until it is answered. It belongs to the connection's loop.
final class ClientTunnel {
    private var request: (any TunnelRequest)?
    /// Where the answer is expected; nil while it has not been asked for.
    private var streamID: Int64?

    init(_ request: any TunnelRequest) {
        self.request = request
    }

    /// nil once it has been answered.
    var head: HTTPRequest? { self.request?.head }

    /// Whether it is still to be answered, and not on an earlier stream.
    func isUnanswered(from limit: Int64) -> Bool { self.request != nil && self.streamID ?? .max >= limit }

    func submitted(on streamID: Int64) {
        self.streamID = streamID
    }

    /// Whether this is its stream, and the answer still to come.
    func awaitsAnswer(on streamID: Int64) -> Bool { streamID == self.streamID && self.request != nil }

    /// - Returns: who takes what follows; nil when nobody does.
    func answered(_ response: HTTPResponse, from remote: SocketAddress, isResumed: Bool) -> (any TunnelUser)? {
        self.request.take()?.answered(with: response, from: remote, isResumed: isResumed)
    }

    /// Without effect once it has been answered.
    func fail(_ error: WebTransportError) { self.request.take()?.fail(error) }
}
