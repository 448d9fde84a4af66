import CNgtcp2
package import NIOCore

extension Connection {
    /// Closes the connection at once with an application error code (RFC 9000 § 10.2). Idempotent.
    package func close(code: UInt64, reason: String = "", at now: NIODeadline) {
        guard self.isOpen else { return }
        var error = CNgtcp2_ccerr()
        CNgtcp2_ccerr_default(&error)
        // The library keeps a pointer to the reason only while it writes the packet, within this scope.
        Array(reason.utf8.prefix(256)).withUnsafeBufferPointer { bytes in
            CNgtcp2_ccerr_set_application_error(&error, code, bytes.baseAddress, bytes.count)
            self.close(with: &error, .closedLocally(code: code), at: now)
        }
    }

    /// The library found an error that ends the connection.
    func fail(libraryCode: Int32, at now: NIODeadline) {
        guard self.isOpen else { return }
        var error = CNgtcp2_ccerr()
        CNgtcp2_ccerr_default(&error)
        var text = String(cString: ngtcp2_strerror(libraryCode))
        if libraryCode == NGTCP2_ERR_CRYPTO {
            let alert = ngtcp2_conn_get_tls_alert(self.handle)
            CNgtcp2_ccerr_set_tls_alert(&error, alert)
            text += " (TLS alert \(alert))"
        } else {
            CNgtcp2_ccerr_set_library_error(&error, libraryCode)
        }
        self.close(with: &error, .transportError(text), at: now)
    }

    /// This end refuses what the handshake came to (RFC 9001 § 4.8).
    func fail(alert: UInt8, _ reason: ConnectionCloseReason, at now: NIODeadline) {
        var error = CNgtcp2_ccerr()
        CNgtcp2_ccerr_default(&error)
        CNgtcp2_ccerr_set_tls_alert(&error, alert)
        self.close(with: &error, reason, at: now)
    }

    func close(with error: inout CNgtcp2_ccerr, _ reason: ConnectionCloseReason, at now: NIODeadline) {
        guard let packet = self.closePacket(&error, at: now) else {
            self.finish(reason)
            return
        }
        self.phase = .closing(packet, until: now + self.drainingPeriod)
        self.events.append(.closed(reason))
        self.releaseStreams()
    }

    private func closePacket(
        _ error: inout CNgtcp2_ccerr,
        at now: NIODeadline
    ) -> ClosingPacket? {
        // A client's Finished, which ends the handshake, comes from where the server's messages went (RFC 9000 § 8.1).
        let isAddressProved = if case .handshaking = self.phase { !self.isServer } else { true }
        var storage = ngtcp2_path_storage()
        ngtcp2_path_storage_zero(&storage)
        return withUnsafeMutablePointer(to: &storage) { storage in
            // The path points into its own storage, which stays in place for this scope.
            var info = ngtcp2_pkt_info()
            var written = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: 1452) { buffer, count in
                written = CNgtcp2_conn_write_connection_close(
                    self.handle,
                    &storage.pointee.path,
                    &info,
                    buffer.baseAddress,
                    buffer.count,
                    &error,
                    now.uptimeNanoseconds
                )
                count = max(written, 0)
            }
            // Zero: the client has not proved its address and the allowance is used up (RFC 9000 § 8.1).
            guard written > 0 else { return nil }
            return ClosingPacket(bytes, on: NetworkPath(storage.pointee.path), isAddressProved: isAddressProved)
        }
    }

    /// The peer has closed.
    func drain(at now: NIODeadline) {
        self.phase = .draining(until: now + self.drainingPeriod)
        if self.didReceiveStatelessReset {
            self.events.append(.closed(.statelessReset))
        } else {
            var error = CNgtcp2_ccerr()
            CNgtcp2_ccerr_default(&error)
            CNgtcp2_conn_get_ccerr(self.handle, &error)
            let reason = UnsafeBufferPointer(start: error.reason, count: error.reasonlen)
            self.events.append(
                .closed(
                    .closedByPeer(
                        code: error.error_code,
                        isApplication: CNgtcp2_ccerr_is_application(&error) != 0,
                        reason: String(decoding: reason, as: UTF8.self)
                    )
                )
            )
        }
        self.releaseStreams()
    }

    /// Ends without a word.
    func finish(_ reason: ConnectionCloseReason) {
        self.phase = .closed
        self.events.append(.closed(reason))
        self.removeAllRoutes()
        self.releaseStreams()
    }

    func removeAllRoutes() {
        for route in self.routes { self.endpoint.connections.remove(route, of: self) }
        self.routes.removeAll()
    }

    /// Nothing is sent any more. The chunks themselves stay until the library is gone: it may still point at them.
    private func releaseStreams() {
        self.sendQueue.removeAll()
        self.creditQueue.removeAll()
        self.blockedStreams.removeAll()
        self.datagrams.removeAll()
    }

    /// Three times the probe timeout (RFC 9000 § 10.2), and no more than a satellite needs: the peer has a say in that
    /// timeout, by up to 16 s, and would decide how long a dead connection keeps its place.
    private var drainingPeriod: TimeAmount {
        min(.nanoseconds(Int64(clamping: 3 * ngtcp2_conn_get_pto(self.handle))), Self.longestDrainingPeriod)
    }

    private static let longestDrainingPeriod = TimeAmount.seconds(10)
}
