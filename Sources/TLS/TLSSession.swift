import CGnuTLS
import Credentials
import NIOCore

/// Owns one GnuTLS session and says in Swift what can be done with it.
///
/// Not `Sendable`: one event loop uses it. Ciphertext goes in with `receive`; after every other call `takeOutput` has
/// what must go to the peer.
final class TLSSession {
    /// Whose handshake it is. It also keeps the credentials, which GnuTLS does not retain.
    private enum Role {
        case server(ServerIdentity)
        case client(ClientCredentials, serverName: String)
    }

    enum Progress { case incomplete, complete }

    enum ReadResult {
        /// Everything that was complete is decrypted.
        case incomplete
        /// The peer has sent close_notify: nothing more will come.
        case closed
    }

    /// The most plaintext that fits into a record (RFC 8446 § 5.1).
    static let maximumRecordSize = 16_384

    private let handle: gnutls_session_t
    private let role: Role
    private let transport = TLSTransport()
    private var tickets: ClientTickets?

    convenience init(_ configuration: TLSServerConfiguration) throws {
        // Without a ticket key nothing could read a ticket.
        let flags = configuration.tickets == nil ? UInt32(GNUTLS_NO_TICKETS.rawValue) : 0
        let identity = configuration.identities.current
        try self.init(flags: UInt32(GNUTLS_SERVER.rawValue) | flags, role: .server(identity), maximumVersion: .tls13)
        identity.configure(self.handle)
        configuration.tickets?.enable(on: self.handle)
        try self.setApplicationProtocols(
            configuration.applicationProtocols,
            flags: UInt32(GNUTLS_ALPN_SERVER_PRECEDENCE.rawValue | GNUTLS_ALPN_MANDATORY.rawValue)
        )
    }

    convenience init(_ configuration: TLSClientConfiguration) throws {
        try self.init(
            flags: UInt32(GNUTLS_CLIENT.rawValue),
            role: .client(configuration.credentials, serverName: configuration.serverName),
            maximumVersion: configuration.maximumVersion
        )
        try configuration.credentials.configure(self.handle, serverName: configuration.serverName)
        try self.setApplicationProtocols(configuration.applicationProtocols, flags: 0)
        self.tickets = configuration.resumption.map { resumption in
            ClientTickets(
                store: resumption.store,
                server: .init(
                    .tls,
                    host: configuration.serverName,
                    port: resumption.port,
                    verification: configuration.credentials.verification
                ),
                session: self.handle
            )
        }
    }

    private init(flags: UInt32, role: Role, maximumVersion: TLSVersion) throws {
        let parameters = try HandshakeParameters.shared(for: maximumVersion == .tls12 ? .tls12 : .tls13Or12)
        var handle: gnutls_session_t?
        let options = flags | UInt32(GNUTLS_NONBLOCK.rawValue) | UInt32(GNUTLS_NO_SIGNAL.rawValue)
        let result = gnutls_init(&handle, options)
        guard result == GNUTLS_E_SUCCESS, let handle else { throw Self.setUpFailed(result) }
        self.handle = handle
        self.role = role
        self.transport.attach(to: handle)
        parameters.configure(handle)
    }

    deinit { gnutls_deinit(self.handle) }

    /// Gives ciphertext to the session. `handshake` or `read` looks at it.
    func receive(_ ciphertext: ByteBuffer) {
        self.transport.append(ciphertext)
    }

    /// The ciphertext for the peer that has come up since the last call.
    func takeOutput() -> ByteBuffer? {
        self.transport.takeOutput()
    }

    /// Continues the handshake with what has been received. On failure the output holds an alert for the peer.
    func handshake() throws -> Progress {
        while true {
            let result = gnutls_handshake(self.handle)
            if result == GNUTLS_E_SUCCESS { break }
            if result == GNUTLS_E_AGAIN { return .incomplete }
            guard gnutls_error_is_fatal(result) != 0 else { continue }
            gnutls_alert_send_appropriate(self.handle, result)
            throw self.failure(result, during: .handshakeFailed)
        }
        if case .client(let credentials, let serverName) = self.role {
            do {
                try credentials.verifyPeer(of: self.handle, serverName: serverName)
            } catch {
                gnutls_alert_send(self.handle, GNUTLS_AL_FATAL, GNUTLS_A_BAD_CERTIFICATE)
                throw error
            }
        }
        return .complete
    }

    /// What the handshake has agreed on.
    var summary: TLSHandshakeCompleted {
        var name = gnutls_datum_t()
        let hasProtocol = gnutls_alpn_get_selected_protocol(self.handle, &name) == GNUTLS_E_SUCCESS
        return TLSHandshakeCompleted(
            version: gnutls_protocol_get_version(self.handle) == GNUTLS_TLS1_2 ? .tls12 : .tls13,
            applicationProtocol: hasProtocol
                ? String(decoding: UnsafeBufferPointer(start: name.data, count: Int(name.size)), as: UTF8.self) : nil,
            isResumed: gnutls_session_is_resumed(self.handle) != 0
        )
    }

    /// Decrypts all that has been received into `plaintext`.
    func read(into plaintext: inout ByteBuffer) throws(TLSError) -> ReadResult {
        while true {
            let unread = self.transport.input.readableBytes
            var result = 0
            plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.maximumRecordSize) { space in
                result = gnutls_record_recv(self.handle, space.baseAddress, space.count)
                return max(0, result)
            }
            if result > 0 { continue }
            if result == 0 { return .closed }
            let code = Int32(result)
            if code == GNUTLS_E_REHANDSHAKE {
                gnutls_alert_send(self.handle, GNUTLS_AL_FATAL, GNUTLS_A_NO_RENEGOTIATION)
                throw TLSError(code: .renegotiation, message: "the peer asked for a TLS renegotiation, which is off")
            }
            guard gnutls_error_is_fatal(code) == 0 else {
                gnutls_alert_send_appropriate(self.handle, code)
                throw self.failure(code, during: .protocolViolation)
            }
            // A ticket or a key update also ends a call; the records behind it are read by the next one.
            if self.transport.input.readableBytes == unread { return .incomplete }
        }
    }

    /// Encrypts all of `plaintext` into the output.
    func write(_ plaintext: ByteBuffer) throws(TLSError) {
        var result = 0
        plaintext.withUnsafeReadableBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                result = gnutls_record_send(self.handle, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                guard result > 0 else { return }
                rest = rest.dropFirst(result)
            }
        }
        // Nothing interrupts a send, because the transport takes everything; a failure is final.
        guard result >= 0 else { throw self.failure(Int32(result), during: .protocolViolation) }
    }

    /// Puts close_notify into the output (RFC 8446 § 6.1).
    func closeOutput() {
        // It fails only when the session has failed before, and then there is nobody to tell.
        _ = gnutls_bye(self.handle, GNUTLS_SHUT_WR)
    }

    private func setApplicationProtocols(_ names: [String], flags: UInt32) throws(TLSError) {
        guard !names.isEmpty else { return }
        var bytes = names.flatMap { Array($0.utf8) }
        let result = bytes.withUnsafeMutableBufferPointer { bytes in
            var offset = 0
            let datums = names.map { name in
                defer { offset += name.utf8.count }
                return gnutls_datum_t(data: bytes.baseAddress! + offset, size: UInt32(name.utf8.count))
            }
            return gnutls_alpn_set_protocols(self.handle, datums, UInt32(datums.count), flags)
        }
        guard result == GNUTLS_E_SUCCESS else { throw Self.setUpFailed(result) }
    }

    private static func setUpFailed(_ result: Int32) -> TLSError {
        TLSError(code: .library, message: "cannot set up TLS: \(String(cString: gnutls_strerror(result)))")
    }

    private func failure(_ result: Int32, during code: TLSError.Code) -> TLSError {
        if result == GNUTLS_E_FATAL_ALERT_RECEIVED {
            let alert = gnutls_alert_get_name(gnutls_alert_get(self.handle)).map { String(cString: $0) } ?? "unknown"
            return TLSError(code: .alertReceived, message: "the peer ended TLS with the alert: \(alert)")
        }
        let reason = String(cString: gnutls_strerror(result))
        let subject =
            code == .handshakeFailed ? "the TLS handshake failed; perhaps the peer does not speak TLS" : "TLS failed"
        return TLSError(code: code, message: "\(subject): \(reason)")
    }
}
