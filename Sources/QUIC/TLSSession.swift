import CGnuTLS
import CNgtcp2
import Credentials

/// The TLS 1.3 handshake of one connection (RFC 9001): the owner of a GnuTLS session.
///
/// ngtcp2's helper moves handshake bytes and secrets between the two libraries; this type only configures.
final class TLSSession {
    let handle: OpaquePointer
    private let connectionReference: UnsafeMutablePointer<ngtcp2_crypto_conn_ref>
    private let clientPolicy: (credentials: ClientCredentials, serverName: String)?
    /// Keeps the identity alive while the session points at it.
    private let identity: ServerIdentity?
    /// Likewise what decides over early data.
    private var recording: ReplayFilter.Recording?
    /// What a client has received and nobody has taken yet.
    var received = ReceivedTicket.none
    var hasEarlySecret = false

    /// RFC 8446 § 6.2.
    enum Alert {
        static let unexpectedMessage: UInt8 = 10
        static let badCertificate: UInt8 = 42
        static let noApplicationProtocol: UInt8 = 120
    }

    static func server(_ configuration: ServerConfiguration) throws(QUICError) -> TLSSession {
        let identity = configuration.identities.current
        // Tickets are sent by hand once the handshake is complete: the automatic one would precede it.
        let flags = UInt32(GNUTLS_SERVER.rawValue) | UInt32(GNUTLS_NO_AUTO_SEND_TICKET.rawValue)
        let session = try TLSSession(
            flags: configuration.replayFilter == nil ? flags : flags | Self.earlyDataFlags,
            applicationProtocols: configuration.applicationProtocols,
            clientPolicy: nil,
            identity: identity
        )
        identity.configure(session.handle)
        configuration.ticketKey.enable(on: session.handle)
        session.recording = configuration.replayFilter.flatMap { session.takeEarlyData(after: $0) }
        try session.checkTLS(
            ngtcp2_crypto_gnutls_configure_server_session(session.handle),
            "ngtcp2_crypto_gnutls_configure_server_session"
        )
        session.installSecretsOnce()
        return session
    }

    /// - Parameters:
    ///   - ticket: the session to resume. One that the library does not take costs a full handshake.
    ///   - offersEarlyData: whether data will be sent before the handshake.
    static func client(
        _ configuration: ClientConfiguration,
        resuming ticket: ResumptionTicket?,
        offersEarlyData: Bool
    ) throws(QUICError) -> TLSSession {
        let flags = UInt32(GNUTLS_CLIENT.rawValue)
        let session = try TLSSession(
            flags: offersEarlyData ? flags | Self.earlyDataFlags : flags,
            applicationProtocols: configuration.applicationProtocols,
            clientPolicy: (configuration.credentials, configuration.serverName),
            identity: nil
        )
        do {
            try configuration.credentials.configure(session.handle, serverName: configuration.serverName)
        } catch {
            throw QUICError(.tls, error.message)
        }
        try session.checkTLS(
            ngtcp2_crypto_gnutls_configure_client_session(session.handle),
            "ngtcp2_crypto_gnutls_configure_client_session"
        )
        session.installSecretsOnce()
        session.watchServer()
        _ = ticket?.resume(on: session.handle)
        return session
    }

    private init(
        flags: UInt32,
        applicationProtocols: [String],
        clientPolicy: (ClientCredentials, String)?,
        identity: ServerIdentity?
    ) throws(QUICError) {
        var session: OpaquePointer?
        let result = gnutls_init(&session, flags)
        guard result == 0, let session else { throw QUICError(.tls, "gnutls_init: \(Self.text(result))") }
        self.handle = session
        self.clientPolicy = clientPolicy
        self.identity = identity
        self.connectionReference = .allocate(capacity: 1)
        self.connectionReference.initialize(to: ngtcp2_crypto_conn_ref())
        gnutls_session_set_ptr(session, self.connectionReference)
        do {
            try HandshakeParameters.shared(for: .quic).configure(session)
        } catch {
            throw QUICError(.tls, error.message)
        }
        try self.offer(applicationProtocols)
        if clientPolicy == nil {
            let message = GNUTLS_HANDSHAKE_CLIENT_HELLO.rawValue
            gnutls_handshake_set_hook_function(session, message, Int32(GNUTLS_HOOK_BOTH), Self.checkClientHello)
        }
    }

    /// GnuTLS refuses application protocols that it does not know and transport parameters that it cannot read, but
    /// does not miss either extension.
    private static let checkClientHello: gnutls_handshake_hook_func = { session, _, when, _, message in
        guard when == UInt32(GNUTLS_HOOK_POST) else {
            TLSSession.refuseEarlyDataWithRetry(session, message)
            return 0
        }
        // RFC 9001 § 8.1: an endpoint without an application protocol ends the connection.
        guard TLSSession.hasApplicationProtocol(session) else { return GNUTLS_E_NO_APPLICATION_PROTOCOL }
        // RFC 9001 § 8.2: a message without the extension is an error of type missing_extension.
        let connection = TLSSession.connection(of: session)
        guard ngtcp2_conn_get_remote_transport_params(connection.handle) != nil else {
            return GNUTLS_E_MISSING_EXTENSION
        }
        return 0
    }

    /// Whose handshake it is.
    static func connection(of session: OpaquePointer?) -> Connection {
        // Both are set before the session is used, hence never nil.
        let reference = gnutls_session_get_ptr(session)!.assumingMemoryBound(to: ngtcp2_crypto_conn_ref.self)
        return Connection.from(reference.pointee.user_data)
    }

    private static func hasApplicationProtocol(_ session: OpaquePointer?) -> Bool {
        var selected = gnutls_datum_t()
        return gnutls_alpn_get_selected_protocol(session, &selected) == 0
    }

    /// Whether both ends agreed on one. A client learns it with the end of the handshake.
    var hasApplicationProtocol: Bool { Self.hasApplicationProtocol(self.handle) }

    deinit {
        gnutls_deinit(self.handle)
        self.connectionReference.deallocate()
    }

    /// Lets the crypto helper find the connection. The connection outlives the session's use of it.
    func bind(to connection: Connection) {
        self.connectionReference.pointee.user_data = connection.userData
        self.connectionReference.pointee.get_conn = { reference in
            Connection.from(reference!.pointee.user_data).handle
        }
    }

    /// ALPN is mandatory in QUIC (RFC 9001 § 8.1).
    private func offer(_ protocols: [String]) throws(QUICError) {
        var names = protocols.map { Array($0.utf8) }
        // The library copies the names; the pointers live for the call.
        let count = names.reduce(0) { $0 + $1.count }
        let storage = UnsafeMutablePointer<UInt8>.allocate(capacity: max(count, 1))
        defer { storage.deallocate() }
        var data: [gnutls_datum_t] = []
        var end = storage
        for index in names.indices {
            let name = names[index]
            end.update(from: name, count: name.count)
            data.append(gnutls_datum_t(data: end, size: UInt32(name.count)))
            end += name.count
        }
        names.removeAll()
        let flags = UInt32(GNUTLS_ALPN_MANDATORY.rawValue) | UInt32(GNUTLS_ALPN_SERVER_PRECEDENCE.rawValue)
        try self.checkTLS(
            gnutls_alpn_set_protocols(self.handle, data, UInt32(data.count), flags),
            "gnutls_alpn_set_protocols"
        )
    }

    /// Checks the server's certificate, once the handshake is complete and before anything is sent to it.
    func verifyPeer() throws(CredentialsError) {
        guard let policy = self.clientPolicy else { return }
        try policy.credentials.verifyPeer(of: self.handle, serverName: policy.serverName)
    }

    /// Sends a ticket for resumption (RFC 8446 § 4.6.1). A failure costs the client a full handshake next time.
    func sendTicket() {
        _ = gnutls_session_ticket_send(self.handle, 1, 0)
    }

    /// Keying material that both ends can compute and nobody else (RFC 8446 § 7.5).
    func export(label: String, context: [UInt8], count: Int) throws(QUICError) -> [UInt8] {
        var result: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
            result = context.withUnsafeBytes { context in
                gnutls_prf_rfc5705(
                    self.handle,
                    label.utf8.count,
                    label,
                    context.count,
                    context.baseAddress?.assumingMemoryBound(to: CChar.self),
                    count,
                    buffer.baseAddress.map { UnsafeMutableRawPointer($0).assumingMemoryBound(to: CChar.self) }
                )
            }
            written = count
        }
        try self.checkTLS(result, "gnutls_prf_rfc5705")
        return bytes
    }

    private func checkTLS(_ result: Int32, _ call: StaticString) throws(QUICError) {
        guard result < 0 else { return }
        throw QUICError(.tls, "\(call): \(Self.text(result))")
    }

    private static func text(_ result: Int32) -> String { String(cString: gnutls_strerror(result)) }
}
