import CNgtcp2
package import NIOCore

/// What recovery knows of a path (RFC 9002).
package struct PathStatistics: Sendable {
    package var smoothedRoundTrip: TimeAmount
    package var minimumRoundTrip: TimeAmount
    package var roundTripVariation: TimeAmount
    /// In bytes.
    package var congestionWindow: UInt64
    /// In bytes.
    package var bytesInFlight: UInt64

    /// RFC 9002 § 6.2.1, with the peer's max_ack_delay as it is by default (RFC 9000 § 18.2).
    var probeTimeout: TimeAmount {
        self.smoothedRoundTrip + max(self.roundTripVariation * 4, .milliseconds(1)) + .milliseconds(25)
    }
}

extension Connection {
    /// Whether the peer takes datagrams of some size.
    package var peerTakesDatagrams: Bool {
        guard let parameters = ngtcp2_conn_get_remote_transport_params(self.handle) else { return false }
        return parameters.pointee.max_datagram_frame_size > 0
    }

    /// The largest datagram that fits into a packet on this path and that the peer takes, in bytes; zero when it takes
    /// none (RFC 9221 § 3).
    package var maxDatagramSize: Int {
        guard let parameters = ngtcp2_conn_get_remote_transport_params(self.handle) else { return 0 }
        let frame = Int(clamping: parameters.pointee.max_datagram_frame_size)
        guard frame > 3 else { return 0 }
        let discovered = Int(ngtcp2_conn_get_path_max_tx_udp_payload_size(self.handle))
        let packet = min(discovered, self.blackHoleWatch.datagramLimit ?? discovered)
        let destinationID = Int(ngtcp2_conn_get_dcid(self.handle).pointee.datalen)
        // Header byte, packet number and AEAD tag (RFC 9000 § 17.3.1; RFC 9001 § 5.3); frame type and length.
        let packetOverhead = 1 + destinationID + 4 + 16
        let frameOverhead = 3
        return max(0, min(frame, packet - packetOverhead) - frameOverhead)
    }

    package var pathStatistics: PathStatistics {
        let recovery = CNgtcp2_conn_get_recovery(self.handle)
        return PathStatistics(
            smoothedRoundTrip: .nanoseconds(Int64(clamping: recovery.smoothed_rtt)),
            minimumRoundTrip: .nanoseconds(Int64(clamping: recovery.min_rtt)),
            roundTripVariation: .nanoseconds(Int64(clamping: recovery.rttvar)),
            congestionWindow: recovery.congestion_window,
            bytesInFlight: recovery.bytes_in_flight
        )
    }

    /// Keying material that both ends can compute and nobody else (RFC 8446 § 7.5), once the handshake is complete.
    package func exportKeyingMaterial(label: String, context: [UInt8], count: Int) throws(QUICError) -> [UInt8] {
        try self.tls.export(label: label, context: context, count: count)
    }

    /// Rotates the 1-RTT keys (RFC 9001 § 6).
    package func initiateKeyUpdate(at now: NIODeadline) throws(QUICError) {
        try check(
            ngtcp2_conn_initiate_key_update(self.handle, now.uptimeNanoseconds),
            "ngtcp2_conn_initiate_key_update"
        )
    }
}
