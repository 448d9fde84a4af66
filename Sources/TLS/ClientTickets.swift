import CGnuTLS
import Credentials

/// A client's tickets: one to resume with, and those that the server sends for next time (RFC 8446 § 4.6.1).
///
/// No early data: what our client asks for over TCP is a WebSocket, and a session must not begin from a replay. The TLS
/// session's owner keeps this object, which the library calls back, for as long as the session.
final class ClientTickets {
    private let store: ResumptionStore
    private let server: ResumptionStore.Server
    private var announced: NewSessionTicket?

    init(store: ResumptionStore, server: ResumptionStore.Server, session: gnutls_session_t) {
        self.store = store
        self.server = server
        // One that the library does not take costs a full handshake.
        _ = store.take(for: server).ticket?.resume(on: session)
        gnutls_session_set_ptr(session, Unmanaged.passUnretained(self).toOpaque())
        let message = GNUTLS_HANDSHAKE_NEW_SESSION_TICKET.rawValue
        gnutls_handshake_set_hook_function(session, message, Int32(GNUTLS_HOOK_BOTH)) { session, _, when, _, message in
            // Set above, hence never nil.
            let tickets = Unmanaged<ClientTickets>.fromOpaque(gnutls_session_get_ptr(session)!).takeUnretainedValue()
            if when == UInt32(GNUTLS_HOOK_PRE) {
                let bytes = UnsafeBufferPointer(start: message?.pointee.data, count: Int(message?.pointee.size ?? 0))
                tickets.announced = NewSessionTicket(bytes)
            } else if let session {
                tickets.complete(session)
            }
            return 0
        }
    }

    private func complete(_ session: gnutls_session_t) {
        // TLS 1.2 sends its tickets within the handshake, when there is no session to keep yet, and in another form.
        guard gnutls_protocol_get_version(session) == GNUTLS_TLS1_3, let announced = self.announced.take() else {
            return
        }
        guard let ticket = ResumptionTicket(ofSession: session, announced, earlyData: nil) else { return }
        self.store.remember(ticket, of: self.server)
    }
}
