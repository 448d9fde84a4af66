import CGnuTLS
import CNgtcp2

// What a client has to see of its server's messages before GnuTLS does, or of what it does not tell.

extension TLSSession {
    func watchServer() {
        // GNUTLS_HANDSHAKE_ANY, a macro that is not imported.
        gnutls_handshake_set_hook_function(self.handle, .max, Int32(GNUTLS_HOOK_BOTH), Self.watch)
    }

    private static let watch: gnutls_handshake_hook_func = { session, type, when, isIncoming, message in
        guard isIncoming != 0 else { return 0 }
        let connection = TLSSession.connection(of: session)
        let isRead = when == UInt32(GNUTLS_HOOK_POST)
        let bytes = UnsafeBufferPointer(start: message?.pointee.data, count: Int(message?.pointee.size ?? 0))
        switch type {
        case GNUTLS_HANDSHAKE_ENCRYPTED_EXTENSIONS.rawValue where !isRead:
            return TLSSession.announced(EncryptedExtensions(bytes), to: connection)
        case GNUTLS_HANDSHAKE_NEW_SESSION_TICKET.rawValue:
            guard isRead else { return connection.tls.announced(bytes, to: connection) }
            connection.tls.completeTicket()
            return 0
        default:
            return 0
        }
    }

    /// ngtcp2 logs transport parameters in a buffer of 1,024 bytes, which a preferred address beside all others exceeds
    /// (0.12.1, 1.11.0): a server could have its client's memory overwritten. Nobody goes there anyway.
    private static func announced(_ extensions: EncryptedExtensions?, to connection: Connection) -> Int32 {
        guard extensions?.hasPreferredAddress == true, connection.qlogWriter != nil else { return 0 }
        ngtcp2_conn_set_tls_error(connection.handle, NGTCP2_ERR_TRANSPORT_PARAM)
        return GNUTLS_E_RECEIVED_ILLEGAL_PARAMETER
    }
}
