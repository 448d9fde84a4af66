import HTTPSemantics
public import HTTPTypes
public import NIOCore
import QUIC

extension WebTransportClient {
    /// A resource of a server, and what the connection was that brought it.
    public struct Resource: Sendable {
        /// Status and fields.
        public var head: HTTPResponse
        /// The whole content.
        public var body: ByteBuffer
        /// Whether the handshake was shortened by what the configuration's `resumption` remembered.
        public var isResumed: Bool
        /// Whether the request was sent before the handshake, and taken (0-RTT).
        public var isEarlyDataAccepted: Bool
    }

    /// Fetches a resource over HTTP/3 (GET), on a connection of its own.
    ///
    /// With a `resumption` in the configuration that remembers the server, and unless `TransportOptions.earlyData` is
    /// off, the request goes out before the handshake. It may then reach the server when somebody else wants it to:
    /// servers take it once, but nothing tells when (RFC 9001 § 9.2).
    ///
    /// - Parameters:
    ///   - url: `https://host[:port]/path[?query]`.
    ///   - fields: further request header fields.
    ///   - maxBodySize: the largest body that is taken, in bytes.
    /// - Throws: `WebTransportError` when there is no answer, or too large a one. A status is no error.
    public func fetch(_ url: String, fields: HTTPFields = [:], maxBodySize: Int = 16 << 20) async throws -> Resource {
        let target = try Self.target(url)
        let address = try await resolve(target.host, port: target.port)
        let request = HTTPRequest(
            method: .get,
            scheme: "https",
            authority: target.authority,
            path: target.path,
            headerFields: fields
        )
        return try await self.open(to: address, serverName: target.host, isEarly: true) { promise in
            let fetch = ResourceFetch(head: request, maxBodySize: maxBodySize, promise: promise)
            return (.fetching(fetch), fetch.fail)
        }
    }

    /// Waits until the servers of earlier fetches have sent what the next ones can resume, which comes behind the
    /// answer.
    /// - Parameter limit: time for servers that send nothing of the kind.
    public func settled(within limit: TimeAmount = .seconds(1)) async {
        let endpoint = self.endpoint
        // It only ever succeeds.
        try? await endpoint.eventLoop.flatSubmit { endpoint.value.settled(within: limit) }.get()
    }
}
