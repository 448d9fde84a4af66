import CNgtcp2
import Credentials
package import NIOCore

extension Connection {
    /// Takes one datagram that belongs to this connection.
    package func receive(_ datagram: UnsafeRawBufferPointer, on path: NetworkPath, ecn: UInt8, at now: NIODeadline) {
        switch self.phase {
        case .closing(var packet, let until):
            packet.arrived(datagram.count, from: path.remote)
            self.phase = .closing(packet, until: until)
            return
        case .draining, .closed:
            return
        case .handshaking, .established:
            break
        }
        let (progress, decryptedCount) = (self.progress, Self.lastDecrypted.count)
        let result = path.withLibraryPath { path in
            CNgtcp2_conn_read_pkt(
                self.handle,
                path,
                ecn,
                datagram.baseAddress!.assumingMemoryBound(to: UInt8.self),
                datagram.count,
                now.uptimeNanoseconds
            )
        }
        if self.newlyAcknowledgedByteCount > 0 {
            self.blackHoleWatch.acknowledged(
                self.newlyAcknowledgedByteCount,
                hasUnacknowledgedData: self.unacknowledgedByteCount > 0,
                at: now
            )
            self.newlyAcknowledgedByteCount = 0
        }
        let decrypted = Self.lastDecrypted
        if decrypted.count != decryptedCount {
            let isNew = self.newestPacket.isNew(
                truncated: decrypted.packet_number,
                bits: decrypted.packet_number_bits
            )
            if isNew, self.progress == progress { self.idlePacketCount += 1 }
        }
        self.afterReading(result, at: now)
    }

    /// Does what is due at `now`. Harmless when nothing is.
    package func handleTimeout(at now: NIODeadline) {
        switch self.phase {
        case .handshaking, .established:
            guard let deadline = self.deadline, deadline <= now else { return }
            self.blackHoleWatch.timerFired(probeTimeout: self.pathStatistics.probeTimeout, at: now)
            let result = ngtcp2_conn_handle_expiry(self.handle, now.uptimeNanoseconds)
            switch result {
            case 0:
                return
            case NGTCP2_ERR_IDLE_CLOSE:
                self.finish(.idleTimeout)
            case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
                self.finish(.handshakeTimeout)
            default:
                self.fail(libraryCode: result, at: now)
            }
        case .closing(_, let until), .draining(let until):
            guard until <= now else { return }
            self.phase = .closed
            self.removeAllRoutes()
        case .closed:
            return
        }
    }

    private func afterReading(_ result: Int32, at now: NIODeadline) {
        if self.didCompleteHandshake {
            self.didCompleteHandshake = false
            self.completeHandshake(at: now)
            guard self.isOpen else { return }
        }
        self.noteTicket()
        switch result {
        case 0:
            return
        case NGTCP2_ERR_DRAINING:
            self.drain(at: now)
        case NGTCP2_ERR_DROP_CONN, NGTCP2_ERR_RETRY:
            self.needsRetry = result == NGTCP2_ERR_RETRY
            self.finish(.transportError("the peer's first packets were not acceptable"))
        case NGTCP2_ERR_RECV_VERSION_NEGOTIATION:
            self.finish(.versionNegotiationFailed)
        default:
            self.fail(libraryCode: result, at: now)
        }
    }

    private func completeHandshake(at now: NIODeadline) {
        do {
            try self.tls.verifyPeer()
        } catch {
            self.fail(alert: TLSSession.Alert.badCertificate, .certificateRejected(error.message), at: now)
            return
        }
        guard self.tls.hasApplicationProtocol else {
            let text = "the peer agreed on no application protocol"
            self.fail(alert: TLSSession.Alert.noApplicationProtocol, .transportError(text), at: now)
            return
        }
        self.phase = .established
        if self.isServer {
            self.isHalfOpen = false
            self.endpoint.handshakeCompleted()
            self.tls.sendTicket()
            self.endpoint.secrets.withNewToken(for: self.path.remote, at: now) { token in
                _ = ngtcp2_conn_submit_new_token(self.handle, token.baseAddress, token.count)
            }
        }
        self.events.append(.handshakeCompleted)
    }
}
