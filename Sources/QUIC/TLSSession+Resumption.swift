import CGnuTLS
import CNgtcp2
import Credentials

extension TLSSession {
    /// A server's ticket on its way from the library to the client's owner: it is read before the library has taken it,
    /// and can be kept afterwards.
    enum ReceivedTicket {
        case none
        case announced(NewSessionTicket)
        case complete(ResumptionTicket, takesEarlyData: Bool)
    }

    /// RFC 9001 § 8.3: QUIC has no EndOfEarlyData.
    static let earlyDataFlags = UInt32(GNUTLS_ENABLE_EARLY_DATA.rawValue) | UInt32(GNUTLS_NO_END_OF_EARLY_DATA.rawValue)

    /// RFC 9001 § 4.6.1: the only size that QUIC knows; flow control limits what is sent.
    private static let maxEarlyDataSize = UInt32.max

    /// Makes a server take early data that the filter has not seen before.
    func takeEarlyData(after filter: ReplayFilter) -> ReplayFilter.Recording? {
        let result = gnutls_record_set_max_early_data_size(self.handle, Int(Self.maxEarlyDataSize))
        precondition(result == GNUTLS_E_SUCCESS, "a server may take any number of bytes")
        return filter.enable(on: self.handle)
    }

    /// GnuTLS forgets to refuse early data when the ClientHello has to be sent again (HelloRetryRequest), which would
    /// make it invalid (RFC 8446 § 4.2.10): it goes on to take it with the second one. A client makes it send that
    /// request when it has no key for any of the groups that are spoken here.
    static func refuseEarlyDataWithRetry(_ session: OpaquePointer?, _ message: UnsafePointer<gnutls_datum_t>?) {
        guard let message = message?.pointee else { return }
        let hello = ClientHello(UnsafeBufferPointer(start: message.data, count: Int(message.size)))
        guard hello?.keyShareGroups.isDisjoint(with: HandshakeParameters.groupNumbers) != false else { return }
        // Without a record of earlier ones it takes none.
        gnutls_anti_replay_enable(session, nil)
    }

    /// Takes the place of the function with which ngtcp2's helper receives secrets. That one would end the process when
    /// a second early secret comes, as it does when a HelloRetryRequest follows early data.
    func installSecretsOnce() {
        gnutls_handshake_set_secret_function(self.handle) { session, level, receiving, sending, size in
            let connection = TLSSession.connection(of: session)
            if level == GNUTLS_ENCRYPTION_LEVEL_EARLY {
                guard !connection.tls.hasEarlySecret else { return GNUTLS_E_INTERNAL_ERROR }
                connection.tls.hasEarlySecret = true
            }
            let handle = connection.handle
            let level = ngtcp2_crypto_gnutls_from_gnutls_record_encryption_level(level)
            if let receiving {
                let secret = receiving.assumingMemoryBound(to: UInt8.self)
                let result = ngtcp2_crypto_derive_and_install_rx_key(handle, nil, nil, nil, level, secret, size)
                guard result == 0 else { return GNUTLS_E_INTERNAL_ERROR }
            }
            if let sending {
                let secret = sending.assumingMemoryBound(to: UInt8.self)
                let result = ngtcp2_crypto_derive_and_install_tx_key(handle, nil, nil, nil, level, secret, size)
                guard result == 0 else { return GNUTLS_E_INTERNAL_ERROR }
            }
            return 0
        }
    }

    /// Whether the handshake was shortened by a session that both ends remember.
    var isResumed: Bool { gnutls_session_is_resumed(self.handle) != 0 }

    /// Whether the server has taken the data that came before the handshake. A client learns it with the server's
    /// answer.
    var isEarlyDataAccepted: Bool {
        gnutls_session_get_flags(self.handle) & UInt32(GNUTLS_SFLAGS_EARLY_DATA.rawValue) != 0
    }

    // MARK: A client's tickets

    /// A ticket has come, which GnuTLS is to read next.
    func announced(_ bytes: UnsafeBufferPointer<UInt8>, to connection: Connection) -> Int32 {
        self.received = .none
        // A malformed one is for the library to find.
        guard let ticket = NewSessionTicket(bytes) else { return 0 }
        guard [nil, Self.maxEarlyDataSize].contains(ticket.maxEarlyDataSize) else {
            // RFC 9001 § 4.6.1: any other value is a connection error of type PROTOCOL_VIOLATION.
            ngtcp2_conn_set_tls_error(connection.handle, NGTCP2_ERR_PROTO)
            return GNUTLS_E_RECEIVED_ILLEGAL_PARAMETER
        }
        self.received = .announced(ticket)
        return 0
    }

    /// GnuTLS has read the ticket.
    func completeTicket() {
        guard case .announced(let ticket) = self.received else { return }
        self.received = .none
        guard let kept = ResumptionTicket(ofSession: self.handle, ticket, earlyData: nil) else { return }
        self.received = .complete(kept, takesEarlyData: ticket.maxEarlyDataSize != nil)
    }
}
