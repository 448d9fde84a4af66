import CUDPSocket
import CoreMetrics
import DequeModule
import Logging
import NIOCore
import NIOPosix
import QUIC
import WebTransportCore

/// One UDP socket with its connections, on one event loop.
///
/// A turn: datagrams are read in batches and fed to their connections, which become dirty; at the end of the batch the
/// dirty connections' events are dispatched, which may resume tasks on this loop; then, behind those tasks, every dirty
/// connection writes once. One list, one function that transmits, one timer: the work of a turn is proportional to the
/// connections that changed.
final class UDPEndpoint {
    let eventLoop: any EventLoop
    let core: QUIC.Endpoint
    let logger: Logger
    private let makeConnection: (QUIC.Connection, UDPEndpoint) -> PeerConnection
    private var socket: UDPSocket
    private var channel: (any Channel)?
    private var localAddress: NetworkAddress
    /// Those of a server's endpoints, by index. A client has none.
    private let handovers: [DatagramHandover]

    private var connections: [ObjectIdentifier: PeerConnection] = [:]
    private var dirty: [PeerConnection] = []
    private(set) var state = State.open
    var counts = TransportCounts()
    private let onSocketLoss: () -> Void
    private let outputAllowance: OutputAllowance
    var inboundMemory: InboundMemory
    /// Bytes that each connection may have waiting for acknowledgement.
    var outputShare: Int { self.outputAllowance.share(ofEachOf: self.connections.count) }
    /// Nil for a client.
    var publisher: MetricsPublisher?
    var publication: Scheduled<Void>?

    enum State {
        case open
        /// The descriptor is NIO's to close, and may be somebody else's by now.
        case closed
    }

    private var isTurnScheduled = false
    private var deadlines = DeadlineQueue<PeerConnection>()
    private var timer: (deadline: NIODeadline, callback: NIOScheduledCallback)?
    /// A run that the socket had no room for.
    private var blockedRun: BlockedRun?
    private let scratch = UnsafeMutableRawBufferPointer.allocate(
        byteCount: QUIC.Connection.transmitBufferSize,
        alignment: 16
    )

    /// Time after which a full socket is tried again. NIO watches the descriptor for reading only.
    private static let retryDelay = TimeAmount.milliseconds(1)
    /// Datagrams in one read; 32 of 2 KiB suffice for a loop that is not behind (measured).
    private static let readBatch = 32
    /// Larger than any packet that this end lets a peer send on an ordinary path.
    private static let datagramSlot = 2048

    init(
        eventLoop: any EventLoop,
        core: QUIC.Endpoint,
        handovers: [DatagramHandover] = [],
        address: SocketAddress,
        sharing: UDPSocket.Sharing,
        outputAllowance: OutputAllowance = OutputAllowance(),
        inboundMemory: InboundMemory = InboundMemory(),
        metrics: (any MetricsFactory)? = nil,
        logger: Logger,
        onSocketLoss: @escaping () -> Void = {},
        makeConnection: @escaping (QUIC.Connection, UDPEndpoint) -> PeerConnection
    ) throws {
        self.eventLoop = eventLoop
        self.core = core
        self.handovers = handovers
        self.outputAllowance = outputAllowance
        self.inboundMemory = inboundMemory
        self.publisher = metrics.map(MetricsPublisher.init)
        self.logger = logger
        self.onSocketLoss = onSocketLoss
        self.makeConnection = makeConnection
        self.socket = try UDPSocket(bindingTo: address, sharing: sharing)
        guard let local = NetworkAddress(address) else { preconditionFailure("a UDP socket has an IP address") }
        self.localAddress = local
    }

    deinit {
        self.scratch.deallocate()
    }

    /// Hands the socket to NIO for reading.
    /// - Returns: the bound address.
    func open() -> EventLoopFuture<SocketAddress> {
        let handler = NIOLoopBound(DatagramReader(endpoint: self), eventLoop: self.eventLoop)
        return DatagramBootstrap(group: self.eventLoop)
            .channelOption(.datagramVectorReadMessageCount, value: Self.readBatch)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(
                .recvAllocator,
                value: FixedSizeRecvByteBufferAllocator(capacity: Self.readBatch * Self.datagramSlot)
            )
            .channelOption(.explicitCongestionNotification, value: true)
            .channelOption(.receivePacketInfo, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(handler.value) }
            }
            .withBoundSocket(self.socket.descriptor)
            .assumeIsolated()
            .flatMapThrowing { channel in
                self.channel = channel
                guard let address = channel.localAddress, let local = NetworkAddress(address) else {
                    throw ChannelError.unknownLocalAddress
                }
                self.localAddress = local
                self.ownHandover?.attach(self)
                self.publish()
                return address
            }
            .nonisolated()
    }

    private var ownHandover: DatagramHandover? {
        self.handovers.isEmpty ? nil : self.handovers[Int(self.core.index)]
    }

    // MARK: Receiving

    func read(_ envelope: AddressedEnvelope<ByteBuffer>) {
        // Nothing can be sent to port 0, and whoever claims to be there wants to see us try.
        guard envelope.remoteAddress.port != 0, let remote = NetworkAddress(envelope.remoteAddress) else { return }
        var local = self.localAddress
        // A server answers from the address that was asked. A client leaves the choice to the kernel, and its path must
        // not seem to change when the kernel has chosen.
        if self.core.isServer, let destination = envelope.metadata?.packetInfo?.destinationAddress,
            var address = NetworkAddress(destination)
        {
            address.port = local.port
            local = address
        }
        let ecn: UInt8 =
            switch envelope.metadata?.ecnState {
            case .transportCapableFlag1: 1
            case .transportCapableFlag0: 2
            case .congestionExperienced: 3
            case .transportNotCapable, nil: 0
            }
        self.receive(envelope.data, on: NetworkPath(local: local, remote: remote), ecn: ecn)
    }

    private func receive(_ datagram: ByteBuffer, on path: NetworkPath, ecn: UInt8) {
        guard self.state == .open else { return }
        let now = NIODeadline.now()
        let disposition = datagram.withUnsafeReadableBytes {
            self.core.receive($0, on: path, ecn: ecn, at: now, scratch: self.scratch)
        }
        switch disposition {
        case .delivered(let connection):
            guard let owner = self.connections[ObjectIdentifier(connection)] else { return }
            owner.packetArrived(at: now)
            self.markDirty(owner)
        case .accepted(let connection):
            self.adopt(self.makeConnection(connection, self))
        case .respond(let byteCount):
            let bytes = UnsafeRawBufferPointer(rebasing: self.scratch[..<byteCount])
            _ = self.socket.send(Transmit(path: path, ecn: 0, bytes: bytes, segmentSize: byteCount))
        case .forward(let index):
            // A copy: the slice belongs to NIO's read buffer.
            let copy = ByteBuffer(bytes: datagram.readableBytesView)
            let isTaken = self.handovers[Int(index)].offer(.init(datagram: copy, path: path, ecn: ecn))
            if isTaken { self.counts.datagramsHandedOver += 1 } else { self.counts.datagramsNotHandedOver += 1 }
        case .dropped:
            break
        }
    }

    func receiveHandedOver() {
        guard let handover = self.ownHandover else { return }
        for item in handover.takeAll() { self.receive(item.datagram, on: item.path, ecn: item.ecn) }
        self.readCompleted()
    }

    /// A batch of datagrams is in: dispatch what they meant, and write behind the tasks which that resumes.
    func readCompleted() {
        for connection in self.dirty { connection.dispatchEvents() }
        self.scheduleTurn()
        self.schedulePublication()
    }

    // MARK: Connections

    private func adopt(_ owner: PeerConnection) {
        self.connections[ObjectIdentifier(owner.quic)] = owner
        self.markDirty(owner)
    }

    /// Opens a connection to a server.
    func connect(
        to remote: NetworkAddress,
        configuration: ClientConfiguration,
        makeConnection: (QUIC.Connection, UDPEndpoint) -> PeerConnection
    ) throws -> PeerConnection {
        guard self.state == .open else { throw WebTransportError(.connectionClosed, "the client was closed") }
        let path = NetworkPath(local: self.localAddress, remote: remote)
        let connection = try self.core.connect(path: path, configuration: configuration, at: .now())
        let owner = makeConnection(connection, self)
        self.adopt(owner)
        return owner
    }

    private func release(_ owner: PeerConnection) {
        // Handlers that end later still make it dirty.
        guard self.connections.removeValue(forKey: ObjectIdentifier(owner.quic)) != nil else { return }
        self.core.released(owner.quic)
        self.deadlines.remove(owner)
        self.inboundMemory.changed(from: owner.seenHolding, to: .init())
    }

    var connectionCount: Int { self.connections.count }
    var allConnections: [PeerConnection] { Array(self.connections.values) }

    // MARK: The turn

    /// The connection has changed: in this turn it gets to write, and its deadline is read again.
    func markDirty(_ connection: PeerConnection) {
        // A closed endpoint has no turns, and what it kept would keep it.
        guard self.state == .open else { return }
        if !connection.isDirty {
            connection.isDirty = true
            self.dirty.append(connection)
        }
        self.scheduleTurn()
    }

    private func scheduleTurn() {
        guard !self.isTurnScheduled, !self.dirty.isEmpty else { return }
        self.isTurnScheduled = true
        let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
        // Two ticks: a task that was resumed may take a second one to get from its sequence into its handler, and what
        // it writes then shares packets with the acknowledgements of this turn.
        let eventLoop = self.eventLoop
        eventLoop.execute { eventLoop.execute { bound.value.turn() } }
    }

    private func turn() {
        self.isTurnScheduled = false
        guard self.state == .open else { return }
        let now = NIODeadline.now()
        guard self.flushBlockedRun() else { return }
        let connections = self.dirty
        self.dirty.removeAll(keepingCapacity: true)
        for connection in connections {
            connection.isDirty = false
            self.take(connection, at: now)
        }
        self.armTimer()
        self.schedulePublication()
    }

    private func take(_ connection: PeerConnection, at now: NIODeadline) {
        connection.dispatchEvents()
        if self.blockedRun != nil {
            self.markDirty(connection)
            return
        }
        connection.prepareOutput()
        let result = connection.quic.transmit(at: now, using: self.scratch) { run in
            guard case .blocked(let sent) = self.socket.send(run) else { return .sent }
            self.blockedRun = BlockedRun(run, from: sent)
            return .blocked
        }
        // Writing may have found an error.
        connection.dispatchEvents()
        connection.offerNewSessions()
        switch result {
        case .idle: break
        case .wantsAnotherTurn, .blocked: self.markDirty(connection)
        }
        if connection.quic.isClosed {
            self.release(connection)
        } else {
            self.deadlines.update(connection, to: connection.deadline)
        }
    }

    /// - Returns: whether the socket takes more.
    private func flushBlockedRun() -> Bool {
        guard let run = self.blockedRun else { return true }
        let outcome = run.bytes.withUnsafeBytes {
            self.socket.send(Transmit(path: run.path, ecn: run.ecn, bytes: $0, segmentSize: run.segmentSize))
        }
        guard case .blocked(let sent) = outcome else {
            self.blockedRun = nil
            return true
        }
        self.blockedRun?.bytes.removeFirst(sent)
        self.isTurnScheduled = true
        let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
        self.eventLoop.scheduleTask(in: Self.retryDelay) { bound.value.turn() }
        return false
    }

    // MARK: The timer

    /// Arms the timer for the earliest deadline. It is only moved when it would ring too late.
    private func armTimer() {
        guard let next = self.deadlines.next else { return }
        if let timer = self.timer {
            guard next < timer.deadline else { return }
            timer.callback.cancel()
        }
        do {
            let handler = EndpointTimer(endpoint: NIOLoopBound(self, eventLoop: self.eventLoop))
            self.timer = (next, try self.eventLoop.scheduleCallback(at: next, handler: handler))
        } catch {
            // The loop is shutting down, and the connections with it.
            self.timer = nil
        }
    }

    func timerRang() {
        self.timer = nil
        let now = NIODeadline.now()
        while let connection = self.deadlines.popDue(at: now) {
            if let deadline = connection.deadline, deadline <= now {
                connection.handleTimeout(at: now)
                self.markDirty(connection)
            } else {
                self.deadlines.update(connection, to: connection.deadline)
            }
        }
        self.armTimer()
    }

    // MARK: Shutdown

    /// Closes all connections, writes their last packets, and closes the socket.
    func close() -> EventLoopFuture<Void> {
        guard self.state == .open else { return self.eventLoop.makeSucceededVoidFuture() }
        self.closeConnections()
        self.turn()
        self.abandon()
        guard let channel = self.channel else { return self.eventLoop.makeSucceededVoidFuture() }
        self.channel = nil
        return channel.close()
    }

    /// NIO has given the socket up, on a read error that it takes for fatal. Its descriptor may be another's by now, so
    /// that nothing can be sent any more; whoever has a session here learns of its end.
    func socketClosed() {
        guard self.state == .open else { return }
        self.logger.error("The UDP socket was lost: its connections end.")
        self.closeConnections()
        self.channel = nil
        self.abandon()
        self.onSocketLoss()
    }

    private func closeConnections() {
        for connection in self.connections.values {
            connection.close()
            self.markDirty(connection)
        }
    }

    private func abandon() {
        // A socket that is full, or lost, keeps a turn from happening; the connections learn of their end all the same.
        for connection in self.connections.values { connection.dispatchEvents() }
        self.state = .closed
        self.blockedRun = nil
        self.ownHandover?.detach()
        self.connections.removeAll()
        self.dirty.removeAll()
        self.deadlines = DeadlineQueue()
        self.timer?.callback.cancel()
        self.timer = nil
        self.publishLast()
    }
}
