import CGnuTLS
import Synchronization

/// What a client remembers of the servers it has spoken to, so that its next connection to one of them is shorter:
/// session tickets (RFC 8446 § 2.2), and the tokens that spare it the proof of its address (RFC 9000 § 8.1.3).
///
/// Whoever makes connections holds one and hands it to their configuration; it may be shared among threads. What is in
/// it is as secret as the sessions were, and stays in memory. A ticket is used once (RFC 8446 § C.4), and only by a
/// client that verifies the server as the one did that got it.
public final class ResumptionStore: Sendable {
    /// Whom something is remembered of, and how it was verified.
    package struct Server: Hashable, Sendable {
        /// Tickets of one do not serve the other, although the server's name and port be the same.
        package enum Transport: Sendable {
            case quic
            case tls
        }

        package var transport: Transport
        package var host: String
        package var port: Int
        package var verification: CertificateVerification

        package init(_ transport: Transport, host: String, port: Int, verification: CertificateVerification) {
            self.transport = transport
            self.host = host
            self.port = port
            self.verification = verification
        }
    }

    /// What is known of a server. Either may be missing.
    package struct Memory: Sendable {
        package var ticket: ResumptionTicket?
        package var addressToken: [UInt8]?
    }

    private struct State {
        var memories: [Server: Memory] = [:]
        /// The one that was changed last comes last.
        var order: [Server] = []
    }

    private let capacity: Int
    private let state = Mutex(State())

    /// - Parameter capacity: servers that are remembered; beyond it the one is forgotten that was heard of longest ago.
    ///   Each takes 2 to 4 kB, most of it the server's certificates.
    public init(capacity: Int = 64) { self.capacity = max(1, capacity) }

    /// Servers that are remembered.
    public var count: Int { self.state.withLock { $0.memories.count } }

    /// Forgets all. The next connections are as if there had been none.
    public func removeAll() { self.state.withLock { $0 = State() } }

    /// Takes out what is known of a server, for one connection.
    ///
    /// - Parameter now: seconds since the epoch; nil is the system's clock. A ticket that has expired is dropped.
    package func take(for server: Server, at now: Int64? = nil) -> Memory {
        var memory = self.state.withLock { state in
            state.order.removeAll { $0 == server }
            return state.memories.removeValue(forKey: server) ?? Memory()
        }
        if let ticket = memory.ticket, ticket.expiry <= now ?? UnixTime.now { memory.ticket = nil }
        return memory
    }

    package func remember(_ ticket: ResumptionTicket, of server: Server) { self.update(server) { $0.ticket = ticket } }

    package func remember(addressToken: [UInt8], of server: Server) {
        self.update(server) { $0.addressToken = addressToken }
    }

    private func update(_ server: Server, _ change: (inout Memory) -> Void) {
        self.state.withLock { state in
            change(&state.memories[server, default: Memory()])
            state.order.removeAll { $0 == server }
            state.order.append(server)
            if state.order.count > self.capacity { state.memories[state.order.removeFirst()] = nil }
        }
    }
}

/// A session that a client can resume.
package struct ResumptionTicket: Sendable {
    /// The library's form of it: the ticket, its secret, and the server's certificates.
    package var session: [UInt8]
    /// When the server will have forgotten it, in seconds since the epoch.
    package var expiry: Int64
    /// What a client may assume when it sends data before the handshake; nil when the server takes none.
    package var earlyData: EarlyDataTerms?

    package init(session: [UInt8], expiry: Int64, earlyData: EarlyDataTerms?) {
        self.session = session
        self.expiry = expiry
        self.earlyData = earlyData
    }

    /// Gives a GnuTLS client session the session to resume.
    /// - Returns: whether the library could make use of it.
    package func resume(on session: OpaquePointer) -> Bool {
        gnutls_session_set_data(session, self.session, self.session.count) == GNUTLS_E_SUCCESS
    }
}

/// What held when the ticket was issued, and holds for early data that is sent with it.
package struct EarlyDataTerms: Sendable, Hashable {
    /// QUIC's limits (RFC 9000 § 7.4.1).
    package var transportParameters: [UInt8]
    /// The application's, in a form of its own.
    package var application: [UInt8]

    package init(transportParameters: [UInt8], application: [UInt8]) {
        self.transportParameters = transportParameters
        self.application = application
    }
}
