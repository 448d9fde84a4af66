package import NIOCore

/// An HTTP datagram in a QUIC DATAGRAM frame: a quarter stream ID, then the payload (RFC 9297 § 2.1).
package struct HTTPDatagram: Equatable {
    package var streamID: Int64
    package var payload: ByteBuffer

    /// - Throws: H3_DATAGRAM_ERROR when the quarter stream ID is missing or too large for a stream.
    package init(_ frame: ByteBuffer) throws(HTTP3Error) {
        var frame = frame
        guard let quarterID = frame.readEncodedInteger(as: UInt64.self, strategy: .quic) else {
            throw HTTP3Error(.datagramError, "a datagram without a quarter stream ID")
        }
        // RFC 9297 § 2.1: the largest stream ID is 2^62 - 1, hence the largest quarter of one is 2^60 - 1.
        guard quarterID < 1 << 60 else {
            throw HTTP3Error(.datagramError, "a datagram whose quarter stream ID is too large")
        }
        self.streamID = Int64(quarterID) * 4
        self.payload = frame
    }

    /// The bytes before the payload of a datagram for a stream that a client opened.
    package static func header(streamID: Int64) -> ByteBuffer {
        var header = ByteBuffer()
        header.writeEncodedInteger(UInt64(streamID) / 4, strategy: .quic)
        return header
    }
}
