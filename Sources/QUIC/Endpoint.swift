import CNgtcp2
import Credentials
package import NIOCore

/// One end of many connections, without a socket and without a clock.
///
/// It decides what becomes of each datagram: it belongs to a connection, begins one, is answered without one (Version
/// Negotiation, Retry, stateless reset, refusal), belongs to another endpoint of the same server, or is dropped.
package final class Endpoint {
    /// The first byte of every connection ID that this endpoint issues.
    package let index: UInt8
    private let endpointCount: Int
    let secrets: EndpointSecrets
    private let server: ServerConfiguration?
    /// Whether it accepts connections.
    package var isServer: Bool { self.server != nil }
    package internal(set) var connections = ConnectionTable<Connection>()

    package private(set) var connectionCount = 0
    /// The connections that this end opened.
    private var outgoing: [ObjectIdentifier: Connection] = [:]
    /// Connections of clients that have not completed their handshakes, which `RetryPolicy.auto` watches: those under way,
    /// and those that have failed and keep their place for a while. Nobody need be at the other end of either.
    package private(set) var halfOpenCount = 0
    package private(set) var statistics = Statistics()

    /// What happened to datagrams that belonged to no connection. Counters only grow.
    package struct Statistics: Sendable, Hashable {
        package var retriesSent = 0
        package var versionNegotiationsSent = 0
        package var statelessResetsSent = 0
        package var refusalsSent = 0
        package var invalidTokens = 0
        package var dropped = 0
        package var connectionsAccepted = 0
        /// Refused, as there were as many connections as there may be.
        package var beyondMaxConnections = 0
        /// Refused, as there were as many handshakes under way as there may be.
        package var beyondMaxHandshakes = 0
    }

    /// What to do with a datagram.
    package enum Disposition {
        /// The connection has taken it.
        case delivered(Connection)
        /// It began a connection, which has taken it.
        case accepted(Connection)
        /// Send the first bytes of the scratch buffer back to where it came from.
        case respond(byteCount: Int)
        /// Another endpoint of this server issued the ID.
        case forward(endpointIndex: UInt8)
        case dropped
    }

    /// - Parameters:
    ///   - index: different for each endpoint of a server, counted from zero.
    ///   - endpointCount: how many the server has.
    ///   - server: nil for an endpoint that only opens connections.
    package init(index: UInt8, of endpointCount: Int = 1, secrets: EndpointSecrets, server: ServerConfiguration?) {
        self.index = index
        self.endpointCount = endpointCount
        self.secrets = secrets
        self.server = server.map { server in
            var server = server
            server.ticketKey = server.ticketKey.bound(to: server.earlyDataTerms)
            return server
        }
    }

    /// Opens a connection to a server. It has something to send at once.
    package func connect(
        path: NetworkPath,
        configuration: ClientConfiguration,
        at now: NIODeadline
    ) throws(QUICError) -> Connection {
        let connection = try Connection.connect(path: path, at: now, configuration: configuration, endpoint: self)
        self.connectionCount += 1
        self.outgoing[ObjectIdentifier(connection)] = connection
        return connection
    }

    /// The owner has forgotten a connection, which must be closed.
    package func released(_ connection: Connection) {
        precondition(connection.isClosed, "only a closed connection may be forgotten")
        self.connectionCount -= 1
        if connection.isHalfOpen { self.halfOpenCount -= 1 }
        self.outgoing[ObjectIdentifier(connection)] = nil
    }

    /// A client's connection has completed its handshake.
    func handshakeCompleted() {
        self.halfOpenCount -= 1
    }

    /// - Parameter scratch: receives a response; at least 1,200 bytes.
    package func receive(
        _ datagram: UnsafeRawBufferPointer,
        on path: NetworkPath,
        ecn: UInt8,
        at now: NIODeadline,
        scratch: UnsafeMutableRawBufferPointer
    ) -> Disposition {
        guard let header = InvariantHeader(datagram) else { return self.drop() }
        if let connection = self.connections[header.destinationID] {
            connection.receive(datagram, on: path, ecn: ecn, at: now)
            return .delivered(connection)
        }
        if header.needsVersionNegotiation {
            return self.negotiateVersion(header, datagramSize: datagram.count, scratch: scratch)
        }
        guard header.isLong, let server = self.server else {
            return self.strayPacket(header, datagram, on: path, at: now, scratch: scratch)
        }
        guard let initial = InitialHeader(datagram) else {
            // A Handshake or 0-RTT packet carries an ID that we issued, or one that only its endpoint knows.
            return self.foreign(header) ?? self.drop()
        }
        return self.begin(initial, datagram, on: path, ecn: ecn, at: now, server: server, scratch: scratch)
    }

    // MARK: New connections

    private func begin(
        _ initial: InitialHeader,
        _ datagram: UnsafeRawBufferPointer,
        on path: NetworkPath,
        ecn: UInt8,
        at now: NIODeadline,
        server: ServerConfiguration,
        scratch: UnsafeMutableRawBufferPointer
    ) -> Disposition {
        var originalDestinationID: ConnectionID?
        let validity = self.secrets.validate(
            token: initial.token,
            from: path.remote,
            version: initial.version,
            destinationID: initial.destinationID,
            at: now
        )
        switch validity {
        case .retry(let originalID):
            originalDestinationID = originalID
        case .returning, .none:
            // RFC 9000 § 7.2: the ID that a client chooses itself has 8 bytes at least. The library looks at it only
            // when there is no token.
            let length = initial.destinationID.withBytes { $0.count }
            guard length >= Int(NGTCP2_MIN_INITIAL_DCIDLEN) else { return self.drop() }
        case .invalidRetry:
            self.statistics.invalidTokens += 1
            return self.refuse(initial, .invalidToken, scratch: scratch)
        }
        if case .none = validity, self.demandsRetry(server.retry) {
            return self.retry(initial, path: path, at: now, scratch: scratch)
        }
        guard self.connectionCount < server.maxConnections else {
            self.statistics.beyondMaxConnections += 1
            return self.refuse(initial, .connectionRefused, scratch: scratch)
        }
        guard self.halfOpenCount < server.maxHandshakes else {
            self.statistics.beyondMaxHandshakes += 1
            return self.refuse(initial, .connectionRefused, scratch: scratch)
        }
        var accepted = initial
        if case .none = validity { accepted.token = [] }
        let connection: Connection
        do {
            connection = try Connection.accept(
                accepted,
                retriedFrom: originalDestinationID,
                path: path,
                at: now,
                configuration: server,
                endpoint: self
            )
        } catch {
            return self.refuse(initial, .internalError, scratch: scratch)
        }
        connection.receive(datagram, on: path, ecn: ecn, at: now)
        guard !connection.needsRetry else {
            // The later part of a ClientHello came first: the library keeps no data of an address that is not proved.
            return server.retry == .never ? self.drop() : self.retry(initial, path: path, at: now, scratch: scratch)
        }
        self.connectionCount += 1
        self.halfOpenCount += 1
        self.statistics.connectionsAccepted += 1
        return .accepted(connection)
    }

    private func demandsRetry(_ policy: RetryPolicy) -> Bool {
        switch policy {
        case .always: true
        case .never: false
        case .auto(let halfOpenThreshold): self.halfOpenCount >= halfOpenThreshold
        }
    }

    // MARK: Answers without a connection

    private func retry(
        _ initial: InitialHeader,
        path: NetworkPath,
        at now: NIODeadline,
        scratch: UnsafeMutableRawBufferPointer
    ) -> Disposition {
        let retryID = ConnectionID(endpointIndex: self.index)
        let token = self.secrets.retryToken(
            for: path.remote,
            version: initial.version,
            retrySourceID: retryID,
            originalDestinationID: initial.destinationID,
            at: now
        )
        guard !token.isEmpty else { return self.drop() }
        var clientID = initial.sourceID.libraryID
        var ourID = retryID.libraryID
        var originalID = initial.destinationID.libraryID
        let written = ngtcp2_crypto_write_retry(
            scratch.baseAddress?.assumingMemoryBound(to: UInt8.self),
            scratch.count,
            initial.version,
            &clientID,
            &ourID,
            &originalID,
            token,
            token.count
        )
        return self.respond(written, \.retriesSent)
    }

    /// Why a connection is refused (RFC 9000 § 20.1).
    private enum Refusal: UInt64 {
        case internalError = 0x01
        case connectionRefused = 0x02
        case invalidToken = 0x0b
    }

    /// Closes a connection that was never made (RFC 9000 § 10.2.3).
    private func refuse(
        _ initial: InitialHeader,
        _ refusal: Refusal,
        scratch: UnsafeMutableRawBufferPointer
    ) -> Disposition {
        var clientID = initial.sourceID.libraryID
        var ourID = initial.destinationID.libraryID
        let written = ngtcp2_crypto_write_connection_close(
            scratch.baseAddress?.assumingMemoryBound(to: UInt8.self),
            scratch.count,
            initial.version,
            &clientID,
            &ourID,
            refusal.rawValue,
            nil,
            0
        )
        return self.respond(written, \.refusalsSent)
    }

    private func negotiateVersion(
        _ header: InvariantHeader,
        datagramSize: Int,
        scratch: UnsafeMutableRawBufferPointer
    ) -> Disposition {
        // RFC 9000 § 5.2.2: only datagrams that could begin a connection are worth an answer.
        guard self.server != nil, datagramSize >= 1200 else { return self.drop() }
        let written = header.destinationID.withBytes { destinationID in
            header.sourceID.withBytes { sourceID in
                // Chosen from the reserved pattern, so that clients learn to ignore unknown versions (§ 15).
                let versions: [UInt32] = [UInt32(CNGTCP2_VERSION_1), 0x0a1a_2a3a]
                return ngtcp2_pkt_write_version_negotiation(
                    scratch.baseAddress?.assumingMemoryBound(to: UInt8.self),
                    scratch.count,
                    UInt8.random(in: .min ... .max),
                    sourceID.baseAddress?.assumingMemoryBound(to: UInt8.self),
                    sourceID.count,
                    destinationID.baseAddress?.assumingMemoryBound(to: UInt8.self),
                    destinationID.count,
                    versions,
                    versions.count
                )
            }
        }
        return self.respond(written, \.versionNegotiationsSent)
    }

    /// A packet for a connection that we do not know: another endpoint's, or one whose state is lost.
    private func strayPacket(
        _ header: InvariantHeader,
        _ datagram: UnsafeRawBufferPointer,
        on path: NetworkPath,
        at now: NIODeadline,
        scratch: UnsafeMutableRawBufferPointer
    ) -> Disposition {
        guard self.server != nil else { return self.statelessReset(datagram, on: path, at: now) }
        if let forward = self.foreign(header) { return forward }
        // RFC 9000 § 10.3: a reset is smaller than what provoked it, so that two ends cannot answer each other's resets
        // for ever; and at least 21 bytes long, to look like a packet.
        let size = min(datagram.count - 1, 43)
        guard !header.isLong, size >= 21 else { return self.drop() }
        let tokenLength = CNGTCP2_STATELESS_RESET_TOKEN_LENGTH
        let written = self.secrets.withResetToken(for: header.destinationID) { token in
            withUnsafeTemporaryAllocation(byteCount: size - tokenLength, alignment: 1) { unpredictable in
                ConnectionID.fillWithRandom(unpredictable)
                return ngtcp2_pkt_write_stateless_reset(
                    scratch.baseAddress?.assumingMemoryBound(to: UInt8.self),
                    scratch.count,
                    token.baseAddress?.assumingMemoryBound(to: UInt8.self),
                    unpredictable.baseAddress?.assumingMemoryBound(to: UInt8.self),
                    unpredictable.count
                )
            }
        }
        return self.respond(written, \.statelessResetsSent)
    }

    /// A client's packet with an unknown ID may be a server's stateless reset, whose ID is random: each connection to
    /// that server compares its tokens (RFC 9000 § 10.3.1).
    private func statelessReset(
        _ datagram: UnsafeRawBufferPointer,
        on path: NetworkPath,
        at now: NIODeadline
    ) -> Disposition {
        for connection in self.outgoing.values where connection.isOpen && connection.path.remote == path.remote {
            connection.receive(datagram, on: path, ecn: 0, at: now)
            if !connection.isOpen { return .delivered(connection) }
        }
        return self.drop()
    }

    private func foreign(_ header: InvariantHeader) -> Disposition? {
        guard let owner = header.destinationID.endpointIndex, owner != self.index, owner < self.endpointCount else {
            return nil
        }
        return .forward(endpointIndex: owner)
    }

    private func respond(_ written: Int, _ counter: WritableKeyPath<Statistics, Int>) -> Disposition {
        guard written > 0 else { return self.drop() }
        self.statistics[keyPath: counter] += 1
        return .respond(byteCount: written)
    }

    private func drop() -> Disposition {
        self.statistics.dropped += 1
        return .dropped
    }
}
