import CNgtcp2

/// What a server needs to know of a client's first Initial packet (RFC 9000 § 17.2.2).
struct InitialHeader {
    var version: UInt32
    var destinationID: ConnectionID
    var sourceID: ConnectionID
    var token: [UInt8]

    /// Nil when the datagram cannot begin a connection: too short, not an Initial, or not version 1.
    init?(_ datagram: UnsafeRawBufferPointer) {
        var header = ngtcp2_pkt_hd()
        let bytes = datagram.baseAddress?.assumingMemoryBound(to: UInt8.self)
        guard ngtcp2_accept(&header, bytes, datagram.count) == 0 else { return nil }
        self.version = header.version
        self.destinationID = ConnectionID(header.dcid)
        self.sourceID = ConnectionID(header.scid)
        self.token = Array(
            UnsafeBufferPointer(start: CNgtcp2_pkt_hd_token(&header), count: CNgtcp2_pkt_hd_token_length(&header))
        )
    }
}

/// The part of a packet that all versions of QUIC share (RFC 8999).
struct InvariantHeader {
    var version: UInt32
    var destinationID: ConnectionID
    var sourceID: ConnectionID
    var isLong: Bool
    /// The client must be told which versions there are (RFC 9000 § 6).
    var needsVersionNegotiation: Bool

    /// Nil when the bytes are not a QUIC packet, or one whose IDs are longer than version 1 allows.
    init?(_ datagram: UnsafeRawBufferPointer) {
        // The library asserts what anyone may violate with an empty datagram.
        guard !datagram.isEmpty else { return nil }
        var header = ngtcp2_version_cid()
        let bytes = datagram.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let result = ngtcp2_pkt_decode_version_cid(&header, bytes, datagram.count, ConnectionID.issuedLength)
        guard result == 0 || result == NGTCP2_ERR_VERSION_NEGOTIATION else { return nil }
        guard header.dcidlen <= 20, header.scidlen <= 20 else { return nil }
        self.version = header.version
        self.destinationID = ConnectionID(UnsafeRawBufferPointer(start: header.dcid, count: header.dcidlen))
        self.sourceID = ConnectionID(UnsafeRawBufferPointer(start: header.scid, count: header.scidlen))
        self.isLong = datagram[0] & 0x80 != 0
        self.needsVersionNegotiation = result == NGTCP2_ERR_VERSION_NEGOTIATION
    }
}
