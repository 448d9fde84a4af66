import CNgtcp2
import NIOCore

// The boundary to ngtcp2. Every thunk recovers its connection, converts, and queues an event; none decides anything or
// calls back into the library (which is not re-entrant).

extension Connection {
    /// The library's user data: this object, which it does not own. `deinit` frees the library's handle first.
    var userData: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    static func from(_ userData: UnsafeMutableRawPointer?) -> Connection {
        // Set at creation, hence never nil.
        Unmanaged.fromOpaque(userData!).takeUnretainedValue()
    }

    /// What was last decrypted on this thread. Each object file has a record of its own: this stands where the
    /// callbacks are made, and neither may be inlined elsewhere.
    static var lastDecrypted: CNgtcp2_decrypted {
        @inline(never) get { CNgtcp2_last_decrypted().pointee }
    }

    static let writeQlog: CNgtcp2_qlog_write = { userData, _, bytes, count in
        guard count > 0 else { return }
        Connection.from(userData).qlogWriter?(UnsafeRawBufferPointer(start: bytes, count: count))
    }

    @inline(never)
    static func callbacks(isServer: Bool) -> ngtcp2_callbacks {
        var callbacks = ngtcp2_callbacks()
        CNgtcp2_callbacks_set_crypto(&callbacks, isServer ? 1 : 0)
        callbacks.rand = { bytes, count, _ in
            ConnectionID.fillWithRandom(UnsafeMutableRawBufferPointer(start: bytes, count: count))
        }
        callbacks.get_new_connection_id = { _, id, token, _, userData in
            let connection = Connection.from(userData)
            let newID = ConnectionID(endpointIndex: connection.endpoint.index)
            id!.pointee = newID.libraryID
            connection.endpoint.secrets.withResetToken(for: newID) {
                UnsafeMutableRawPointer(token!).copyMemory(from: $0.baseAddress!, byteCount: $0.count)
            }
            connection.addRoute(newID)
            return 0
        }
        callbacks.remove_connection_id = { _, id, userData in
            Connection.from(userData).removeRoute(ConnectionID(id!.pointee))
            return 0
        }
        callbacks.recv_tx_key = { _, level, userData in
            if CNgtcp2_is_1rtt(level) != 0 { Connection.from(userData).keyForSendingInstalled() }
            return 0
        }
        callbacks.recv_crypto_data = { handle, level, offset, bytes, count, userData in
            Connection.from(userData).progress += 1
            let data = UnsafeBufferPointer(start: bytes, count: count)
            if CNgtcp2_is_1rtt(level) != 0, !Connection.from(userData).postHandshakeMessages.allows(data) {
                ngtcp2_conn_set_tls_alert(handle, TLSSession.Alert.unexpectedMessage)
                return Int32(NGTCP2_ERR_CRYPTO)
            }
            return ngtcp2_crypto_recv_crypto_data_cb(handle, level, offset, bytes, count, userData)
        }
        callbacks.handshake_completed = { _, userData in
            let connection = Connection.from(userData)
            connection.didCompleteHandshake = true
            return connection.settleEarlyData()
        }
        callbacks.recv_stateless_reset = { _, _, userData in
            Connection.from(userData).didReceiveStatelessReset = true
            return 0
        }
        callbacks.recv_stream_data = { _, flags, id, _, bytes, count, userData, _ in
            Connection.from(userData).streamDataReceived(
                StreamID(rawValue: id),
                UnsafeRawBufferPointer(start: bytes, count: count),
                isFinal: flags & UInt32(NGTCP2_STREAM_DATA_FLAG_FIN) != 0
            )
            return 0
        }
        callbacks.acked_stream_data_offset = { _, id, offset, count, userData, _ in
            Connection.from(userData).acknowledged(StreamID(rawValue: id), upTo: offset + count)
            return 0
        }
        callbacks.stream_reset = { _, id, finalSize, code, userData, _ in
            Connection.from(userData).streamReset(StreamID(rawValue: id), code: code, finalSize: finalSize)
            return 0
        }
        callbacks.stream_close = { _, flags, id, code, userData, _ in
            let hasCode = flags & UInt32(NGTCP2_STREAM_CLOSE_FLAG_APP_ERROR_CODE_SET) != 0
            Connection.from(userData).streamClosed(StreamID(rawValue: id), code: hasCode ? code : nil)
            return 0
        }
        callbacks.extend_max_stream_data = { _, id, _, userData, _ in
            Connection.from(userData).enqueueForSending(StreamID(rawValue: id))
            return 0
        }
        callbacks.extend_max_local_streams_bidi = { _, _, userData in
            Connection.from(userData).streamsAvailable(.bidirectional)
            return 0
        }
        callbacks.extend_max_local_streams_uni = { _, _, userData in
            Connection.from(userData).streamsAvailable(.unidirectional)
            return 0
        }
        callbacks.recv_new_token = receiveNewToken
        callbacks.recv_datagram = { _, _, bytes, count, userData in
            Connection.from(userData).datagramReceived(UnsafeRawBufferPointer(start: bytes, count: count))
            return 0
        }
        callbacks.ack_datagram = { _, _, userData in
            Connection.from(userData).progress += 1
            return 0
        }
        return callbacks
    }
}

// The generations of the library differ in the number of parameters, which no shim can hide. The compiler takes the
// function that fits the one in use.

private func receiveNewToken(
    _: OpaquePointer?,
    token: UnsafePointer<ngtcp2_vec>?,
    userData: UnsafeMutableRawPointer?
) -> Int32 {
    let token = token?.pointee ?? ngtcp2_vec()
    Connection.from(userData).addressTokenReceived(UnsafeBufferPointer(start: token.base, count: token.len))
    return 0
}

private func receiveNewToken(
    _: OpaquePointer?,
    token: UnsafePointer<UInt8>?,
    count: Int,
    userData: UnsafeMutableRawPointer?
) -> Int32 {
    Connection.from(userData).addressTokenReceived(UnsafeBufferPointer(start: token, count: count))
    return 0
}
