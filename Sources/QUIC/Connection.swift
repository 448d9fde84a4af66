import CNgtcp2
import Credentials
import DequeModule
package import NIOCore

/// One QUIC connection (RFC 9000) without sockets and without a clock: the owner of an ngtcp2 connection.
///
/// Feed it with `receive` and `handleTimeout`, then take its events with `nextEvent` until there are none, write with
/// `transmit`, and read `deadline` again: its answer may change with each of these calls, and with every verb on a
/// stream or datagram. Nothing is called back: what the library reports is queued as an event, and no verb of this type
/// may be called while the library runs.
///
/// Not `Sendable`: it belongs to one thread, that of its endpoint.
package final class Connection {
    /// The library's handle: nil until `start`, then until `deinit`.
    private(set) var handle: OpaquePointer?
    let tls: TLSSession
    /// The library's allocator for this connection, which lives a little longer than the handle.
    private let memory: UnsafeMutablePointer<CNgtcp2_memory>
    /// Where this connection's IDs lead to it. The endpoint outlives its connections.
    unowned let endpoint: Endpoint
    let configuration: TransportConfiguration
    package let isServer: Bool
    let qlogWriter: QlogWriter?

    var phase = Phase.handshaking
    /// Whether the client has not completed the handshake, even when it has ended.
    var isHalfOpen: Bool
    /// Whether the library would begin only with a client that has proved its address.
    var needsRetry = false
    var events: Deque<ConnectionEvent> = []
    var streams: [StreamID: Stream] = [:]
    /// Bytes of all streams that are written but not acknowledged.
    package internal(set) var heldByteCount = 0
    /// Bytes of all streams that are sent but not acknowledged.
    var unacknowledgedByteCount = 0
    /// How many of them the packet that is being read acknowledges.
    var newlyAcknowledgedByteCount = 0
    /// Bytes of streams that the peer has acknowledged so far.
    package internal(set) var acknowledgedByteCount = 0
    var blackHoleWatch = BlackHoleWatch()
    /// Streams with something to send, in the order in which they take their turn.
    var sendQueue = StreamQueue()
    var datagrams = DatagramQueue()
    var routes: Set<ConnectionID> = []
    /// The library's callbacks only note this; what follows from it happens when the call has returned.
    var didCompleteHandshake = false
    var postHandshakeMessages: PostHandshakeMessages
    var didReceiveStatelessReset = false
    var dueResets: [StreamID] = []
    /// Streams of the queue that wait for credit of the connection.
    var creditQueue = StreamQueue()
    /// Streams that their own flow control holds up, in the order in which they are tried again.
    var blockedStreams = StreamQueue()
    /// Peer's unidirectional streams whose end was reported, where the library does not close them itself. It keeps
    /// some hundred bytes of each.
    var endedStreams: Set<StreamID> = []
    var endedUnidirectionalCount = 0
    /// Where a client keeps what its next connection can use.
    var resumption: Resumption?
    /// What was assumed of the server to send data before the handshake; nil when there is none, or no more.
    var earlyDataTerms: EarlyDataTerms?
    /// How many bidirectional streams the peer may have opened in all.
    package internal(set) var allowedBidirectionalStreams: UInt64
    /// Grows with everything that the peer's packets bring or acknowledge: one for each such thing, and one for each
    /// kilobyte of stream data.
    package internal(set) var progress = 0
    /// New packets that led to no progress: they were idle, or brought data out of order, which counts when what is
    /// missing has come. What others make up or repeat does not count, else they could have the connection closed.
    package internal(set) var idlePacketCount = 0
    var newestPacket = NewestPacket()

    /// The life of a connection (RFC 9000 § 10). Each ending holds what only it needs.
    enum Phase {
        case handshaking
        case established
        /// CONNECTION_CLOSE was sent; the same packet answers what still arrives.
        case closing(ClosingPacket, until: NIODeadline)
        /// The peer has closed: silence until its last packets are gone.
        case draining(until: NIODeadline)
        case closed
    }

    /// A server's connection for a client's first packet.
    static func accept(
        _ header: InitialHeader,
        retriedFrom originalDestinationID: ConnectionID?,
        path: NetworkPath,
        at now: NIODeadline,
        configuration: ServerConfiguration,
        endpoint: Endpoint
    ) throws(QUICError) -> Connection {
        let connection = Connection(
            tls: try .server(configuration),
            configuration: configuration.transport,
            isServer: true,
            originalDestinationID: originalDestinationID ?? header.destinationID,
            endpoint: endpoint
        )
        try connection.startServer(header, retriedFrom: originalDestinationID, path: path, at: now)
        return connection
    }

    /// A client's connection. It has something to send at once.
    static func connect(
        path: NetworkPath,
        at now: NIODeadline,
        configuration: ClientConfiguration,
        endpoint: Endpoint
    ) throws(QUICError) -> Connection {
        let destinationID = ConnectionID(endpointIndex: UInt8.random(in: .min ... .max))
        let resumption = configuration.resumption.map { store in
            Resumption(
                store: store,
                server: ResumptionStore.Server(
                    .quic,
                    host: configuration.serverName,
                    port: Int(path.remote.port),
                    verification: configuration.credentials.verification
                )
            )
        }
        let memory = resumption.map { $0.store.take(for: $0.server) }
        let earlyDataTerms = configuration.sendsEarlyData ? memory?.ticket?.earlyData : nil
        let connection = Connection(
            tls: try .client(configuration, resuming: memory?.ticket, offersEarlyData: earlyDataTerms != nil),
            configuration: configuration.transport,
            isServer: false,
            originalDestinationID: destinationID,
            endpoint: endpoint
        )
        connection.resumption = resumption
        try connection.startClient(
            destinationID: destinationID,
            addressToken: memory?.addressToken ?? [],
            path: path,
            at: now
        )
        if let earlyDataTerms { connection.assume(earlyDataTerms) }
        return connection
    }

    private init(
        tls: TLSSession,
        configuration: TransportConfiguration,
        isServer: Bool,
        originalDestinationID: ConnectionID,
        endpoint: Endpoint
    ) {
        self.tls = tls
        self.configuration = configuration
        self.isServer = isServer
        self.isHalfOpen = isServer
        self.endpoint = endpoint
        self.qlogWriter = configuration.makeQlogWriter?(originalDestinationID, isServer)
        self.postHandshakeMessages = PostHandshakeMessages(isFromServer: !isServer)
        self.allowedBidirectionalStreams = configuration.maxStreams
        self.memory = .allocate(capacity: 1)
        CNgtcp2_memory_init(self.memory)
        self.datagrams.capacity = configuration.maxQueuedDatagrams
        tls.bind(to: self)
    }

    deinit {
        if let handle = self.handle { ngtcp2_conn_del(handle) }
        self.memory.deallocate()
        self.qlogWriter?(UnsafeRawBufferPointer(start: nil, count: 0))
    }

    // MARK: Creation

    private func startServer(
        _ header: InitialHeader,
        retriedFrom originalDestinationID: ConnectionID?,
        path: NetworkPath,
        at now: NIODeadline
    ) throws(QUICError) {
        let sourceID = ConnectionID(endpointIndex: self.endpoint.index)
        var originalID = (originalDestinationID ?? header.destinationID).libraryID
        var parameters = self.transportParameters()
        CNgtcp2_transport_params_set_original_dcid(&parameters, &originalID)
        if originalDestinationID != nil {
            parameters.retry_scid = header.destinationID.libraryID
            parameters.retry_scid_present = 1
        }
        parameters.stateless_reset_token_present = 1
        self.endpoint.secrets.withResetToken(for: sourceID) { token in
            withUnsafeMutableBytes(of: &parameters.stateless_reset_token) { $0.copyMemory(from: token) }
        }
        let result = header.token.withUnsafeBufferPointer { token -> Int32 in
            var settings = self.settings(originalDestinationID: ConnectionID(originalID), at: now)
            CNgtcp2_settings_set_token(
                &settings,
                token.isEmpty ? nil : token.baseAddress,
                token.count,
                originalDestinationID == nil ? 0 : 1
            )
            var callbacks = Self.callbacks(isServer: true)
            var destinationID = header.sourceID.libraryID
            var ourID = sourceID.libraryID
            return path.withLibraryPath { path in
                CNgtcp2_conn_server_new(
                    &self.handle,
                    &destinationID,
                    &ourID,
                    path,
                    header.version,
                    &callbacks,
                    &settings,
                    &parameters,
                    self.memory,
                    self.userData
                )
            }
        }
        try check(result, "ngtcp2_conn_server_new")
        ngtcp2_conn_set_tls_native_handle(self.handle, UnsafeMutableRawPointer(self.tls.handle))
        self.addRoute(sourceID)
        // Until the client has learnt our ID it goes on using the one it made up (RFC 9000 § 7.2).
        self.addRoute(header.destinationID)
    }

    private func startClient(
        destinationID: ConnectionID,
        addressToken: [UInt8],
        path: NetworkPath,
        at now: NIODeadline
    ) throws(QUICError) {
        let sourceID = ConnectionID(endpointIndex: self.endpoint.index)
        var parameters = self.transportParameters()
        let result = addressToken.withUnsafeBufferPointer { token -> Int32 in
            var settings = self.settings(originalDestinationID: destinationID, at: now)
            CNgtcp2_settings_set_token(&settings, token.isEmpty ? nil : token.baseAddress, token.count, 0)
            var callbacks = Self.callbacks(isServer: false)
            var theirID = destinationID.libraryID
            var ourID = sourceID.libraryID
            return path.withLibraryPath { path in
                CNgtcp2_conn_client_new(
                    &self.handle,
                    &theirID,
                    &ourID,
                    path,
                    &callbacks,
                    &settings,
                    &parameters,
                    self.memory,
                    self.userData
                )
            }
        }
        try check(result, "ngtcp2_conn_client_new")
        ngtcp2_conn_set_tls_native_handle(self.handle, UnsafeMutableRawPointer(self.tls.handle))
        if let keepAlive = self.configuration.keepAlive {
            ngtcp2_conn_set_keep_alive_timeout(self.handle, UInt64(keepAlive.nanoseconds))
        }
        self.addRoute(sourceID)
    }

    private func settings(originalDestinationID: ConnectionID, at now: NIODeadline) -> ngtcp2_settings {
        var settings = ngtcp2_settings()
        CNgtcp2_settings_default(&settings)
        settings.initial_ts = now.uptimeNanoseconds
        settings.handshake_timeout = UInt64(self.configuration.handshakeTimeout.nanoseconds)
        settings.max_window = 3 * self.configuration.maxConnectionData
        settings.max_stream_window = 8 * self.configuration.maxStreamData
        settings.cc_algo =
            switch self.configuration.congestionControl {
            case .cubic: NGTCP2_CC_ALGO_CUBIC
            case .bbr: NGTCP2_CC_ALGO_BBR
            }
        if self.qlogWriter != nil {
            var originalID = originalDestinationID.libraryID
            CNgtcp2_settings_set_qlog(&settings, Self.writeQlog, &originalID)
        }
        return settings
    }

    private func transportParameters() -> ngtcp2_transport_params {
        var parameters = ngtcp2_transport_params()
        CNgtcp2_transport_params_default(&parameters)
        parameters.initial_max_data = self.configuration.maxConnectionData
        parameters.initial_max_stream_data_bidi_local = self.configuration.maxStreamData
        parameters.initial_max_stream_data_bidi_remote = self.configuration.maxStreamData
        parameters.initial_max_stream_data_uni = self.configuration.maxStreamData
        parameters.initial_max_streams_bidi = self.configuration.maxStreams
        parameters.initial_max_streams_uni = self.configuration.maxStreams
        parameters.max_idle_timeout = UInt64(self.configuration.idleTimeout.nanoseconds)
        parameters.max_datagram_frame_size = self.configuration.maxDatagramFrameSize
        parameters.active_connection_id_limit = TransportConfiguration.activeConnectionIDLimit
        parameters.grease_quic_bit = 1
        return parameters
    }

    // MARK: Routes

    func addRoute(_ id: ConnectionID) {
        guard self.endpoint.connections.add(id, for: self) else { return }
        self.routes.insert(id)
    }

    func removeRoute(_ id: ConnectionID) {
        self.routes.remove(id)
        self.endpoint.connections.remove(id, of: self)
    }

    // MARK: Facts

    /// When `handleTimeout` must be called; nil when nothing is pending.
    package var deadline: NIODeadline? {
        switch self.phase {
        case .handshaking, .established:
            let expiry = ngtcp2_conn_get_expiry(self.handle)
            return expiry > UInt64(Int64.max) ? nil : .uptimeNanoseconds(expiry)
        case .closing(_, let until), .draining(let until):
            return until
        case .closed:
            return nil
        }
    }

    /// Bytes that the library holds for this connection.
    package var libraryByteCount: Int { Int(self.memory.pointee.used) }

    /// How many of them the library has only forgotten to free (see `maxLeakedStreams`).
    package var leakedByteCount: Int {
        CNgtcp2_closes_peer_unidirectional_streams() == 0 ? self.endedUnidirectionalCount * Self.leakedStreamSize : 0
    }

    /// Whether the connection is neither closing nor closed.
    package var isOpen: Bool {
        switch self.phase {
        case .handshaking, .established: true
        case .closing, .draining, .closed: false
        }
    }

    /// Whether the endpoint may forget the connection.
    package var isClosed: Bool {
        if case .closed = self.phase { true } else { false }
    }

    /// The path in use.
    package var path: NetworkPath {
        NetworkPath(ngtcp2_conn_get_path(self.handle).pointee)
    }

    package func nextEvent() -> ConnectionEvent? {
        self.events.popFirst()
    }
}
