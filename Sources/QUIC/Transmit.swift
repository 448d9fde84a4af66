/// A run of packets for one path: equal in size, but that the last may be shorter (so that the kernel can cut it).
package struct Transmit {
    package let path: NetworkPath
    /// The ECN codepoint of all of them (RFC 9000 § 13.4).
    package let ecn: UInt8
    /// The packets, one after the other. Valid only during the call that was given this value.
    package let bytes: UnsafeRawBufferPointer
    /// The size of each packet but the last, in bytes.
    package let segmentSize: Int

    package init(path: NetworkPath, ecn: UInt8, bytes: UnsafeRawBufferPointer, segmentSize: Int) {
        self.path = path
        self.ecn = ecn
        self.bytes = bytes
        self.segmentSize = segmentSize
    }
}

/// What became of a run.
package enum TransmitOutcome {
    /// Sent, or lost in a way that recovery covers.
    case sent
    /// The socket is full; the run was kept. Nothing more may be written before it has gone.
    case blocked
}

/// Whether a connection has more to send at once.
package enum TransmitResult {
    case idle
    /// The connection used up its share of this turn.
    case wantsAnotherTurn
    case blocked
}
