package import HTTPTypes
package import NIOCore

/// What the peer's HTTP/3 frames mean, in order.
package enum HTTP3Event {
    /// A server received a request's header section.
    case request(streamID: Int64, HTTPRequest)
    /// A client received a final response's header section.
    case response(streamID: Int64, HTTPResponse)
    /// A header section larger than we accept; its fields were dropped.
    case fieldsTooLarge(streamID: Int64)
    /// Its flow-control credit is to be returned by whoever takes it.
    case data(streamID: Int64, ByteBuffer)
    /// The peer finished its side of the stream.
    case end(streamID: Int64)
    /// A message was malformed (RFC 9114 § 4.1.2): give up sending on the stream.
    case resetDemanded(streamID: Int64, code: UInt64)
    /// Likewise: ask the peer to give up sending on it.
    case stopDemanded(streamID: Int64, code: UInt64)
    /// The peer accepts no new requests from this ID on (RFC 9114 § 5.2).
    case goaway(limit: Int64)
}
