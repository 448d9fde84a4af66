import Credentials
import HTTP3
import HTTPTypes
import NIOCore
import NIOPosix
import QUIC
import WebTransport

/// A client that decides on every byte: QUIC and HTTP/3 over a real socket, without the rules of WebTransport.
///
/// It belongs to its event loop; tests speak to it through `RawPeer.Handle`.
final class RawPeer: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let endpoint = Endpoint(index: 0, secrets: EndpointSecrets(), server: nil)
    private(set) var quic: QUIC.Connection!
    private(set) var http3: HTTP3Connection!
    /// What the server's streams carried, its resets and stops by stream, and the datagrams.
    private(set) var received: [Int64: ByteBuffer] = [:]
    private(set) var finished: Set<Int64> = []
    private(set) var resets: [Int64: UInt64] = [:]
    private(set) var stops: [Int64: UInt64] = [:]
    private(set) var datagrams: [ByteBuffer] = []
    private(set) var responses: [Int64: HTTPResponse] = [:]
    /// Streams of the server's sessions and datagrams that came when there was no response at all.
    private(set) var arrivalsBeforeResponse = 0
    private(set) var closeReason: ConnectionCloseReason?
    private(set) var isReady = false
    /// Whether the streams and settings of HTTP/3 are sent. Without them the server knows nothing of this client.
    private let sendsSettings: Bool
    private var isHTTP3Started = false
    /// From `handlerAdded` to `handlerRemoved`: it holds this handler in turn.
    private var context: ChannelHandlerContext?
    private var waiters: [Waiter] = []
    private var timer: Scheduled<Void>?
    private let scratch = UnsafeMutableRawBufferPointer.allocate(
        byteCount: QUIC.Connection.transmitBufferSize,
        alignment: 16
    )
    private let remote: SocketAddress
    private let configuration: ClientConfiguration

    init(remote: SocketAddress, configuration: ClientConfiguration, sendsSettings: Bool) {
        self.remote = remote
        self.configuration = configuration
        self.sendsSettings = sendsSettings
    }

    deinit {
        self.scratch.deallocate()
    }

    // MARK: What a test does

    /// Opens streams so that the next one has the wanted ID, and returns it.
    func openStream(_ direction: StreamDirection) throws -> Int64 { try self.quic.openStream(direction).rawValue }

    func write(_ bytes: [UInt8], to id: Int64, finish: Bool = false) {
        self.quic.write(ByteBuffer(bytes: bytes), to: StreamID(rawValue: id), finish: finish)
    }

    func send(datagram: [UInt8]) {
        _ = self.quic.sendDatagram(header: ByteBuffer(), payload: ByteBuffer(bytes: datagram))
    }

    /// Sends a request for a session on the next bidirectional stream.
    @discardableResult
    func connect(_ path: String = "/", on id: Int64? = nil) throws -> Int64 {
        let id = try id ?? self.openStream(.bidirectional)
        var request = HTTPRequest(method: .connect, scheme: "https", authority: "127.0.0.1", path: path)
        request.extendedConnectProtocol = "webtransport"
        try self.http3.submit(request, on: id, isFinal: false)
        return id
    }

    /// Opens the streams of HTTP/3 and sends SETTINGS, late.
    func startHTTP3() throws {
        self.isHTTP3Started = true
        try self.http3.bind(
            control: try self.openStream(.unidirectional),
            encoder: try self.openStream(.unidirectional),
            decoder: try self.openStream(.unidirectional)
        )
    }

    // MARK: Driving

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        self.timer?.cancel()
        self.timer = nil
        self.failWaiters()
    }

    func channelActive(context: ChannelHandlerContext) {
        do {
            // Loopback's addresses are those of the socket.
            let path = NetworkPath(
                local: NetworkAddress(context.channel.localAddress!)!,
                remote: NetworkAddress(self.remote)!
            )
            self.http3 = try HTTP3Connection(
                isServer: false,
                additionalSettings: [Setting(.h3Datagram, 1), Setting(.init(rawValue: 0x2b60_3742), 1)]
            )
            self.quic = try self.endpoint.connect(path: path, configuration: self.configuration, at: .now())
        } catch {
            preconditionFailure("a client starts: \(error)")
        }
        self.turn()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = self.unwrapInboundIn(data)
        let path = NetworkPath(local: self.quic.path.local, remote: NetworkAddress(envelope.remoteAddress)!)
        envelope.data.withUnsafeReadableBytes {
            _ = self.endpoint.receive($0, on: path, ecn: 0, at: .now(), scratch: self.scratch)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { self.turn() }

    func turn() {
        guard let context = self.context else { return }
        self.dispatch()
        if self.isHTTP3Started {
            // What goes wrong here shows in what the server does.
            while let output = try? self.http3.nextOutput() {
                self.quic.write(output.bytes, to: StreamID(rawValue: output.streamID), finish: output.isFinal)
            }
        }
        self.transmit(context)
        self.dispatch()
        self.waiters.removeAll { $0.check() }
        if self.quic.isClosed { self.failWaiters() }
        self.timer?.cancel()
        guard !self.quic.isClosed, let deadline = self.quic.deadline else { return }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        self.timer = context.eventLoop.scheduleTask(deadline: deadline) {
            bound.value.quic.handleTimeout(at: .now())
            bound.value.turn()
        }
    }

    private func transmit(_ context: ChannelHandlerContext) {
        while true {
            let result = self.quic.transmit(at: .now(), using: self.scratch) { run in
                var rest = run.bytes[...]
                while !rest.isEmpty {
                    let packet = ByteBuffer(bytes: rest.prefix(run.segmentSize))
                    rest = rest.dropFirst(run.segmentSize)
                    let envelope = AddressedEnvelope(remoteAddress: self.remote, data: packet)
                    context.writeAndFlush(NIOAny(envelope), promise: nil)
                }
                return .sent
            }
            guard case .wantsAnotherTurn = result else { return }
        }
    }

    private func dispatch() {
        while let event = self.quic.nextEvent() {
            switch event {
            case .readyToSend:
                self.isReady = true
                if self.sendsSettings { try? self.startHTTP3() }
            case .streamData(let id, let bytes, let isFinal):
                self.quic.consumed(bytes.readableBytes, of: id)
                if self.responses.isEmpty, id.isServerInitiated, id.rawValue >= 15 { self.arrivalsBeforeResponse += 1 }
                self.received[id.rawValue, default: ByteBuffer()].writeImmutableBuffer(bytes)
                if isFinal { self.finished.insert(id.rawValue) }
                // Streams that begin with WebTransport's signals are none of HTTP/3's; the rest may be.
                if id.rawValue < 16 { try? self.http3.receive(bytes, on: id.rawValue, isFinal: isFinal) }
                while let event = self.http3.nextEvent() {
                    if case .response(let id, let response) = event { self.responses[id] = response }
                }
            case .streamReset(let id, let code, _, _):
                self.resets[id.rawValue] = code
            case .streamStillborn: break
            case .stopSending(let id, let code):
                if let code { self.stops[id.rawValue] = code }
            case .datagram(let frame):
                if self.responses.isEmpty { self.arrivalsBeforeResponse += 1 }
                self.datagrams.append(frame)
            case .closed(let reason):
                self.closeReason = reason
            case .earlyDataRejected, .handshakeCompleted, .streamClosed, .acknowledged, .streamsAvailable:
                break
            }
        }
    }

    private func wait<Value: Sendable>(_ condition: @escaping (RawPeer) -> Value?, promise: EventLoopPromise<Value>) {
        let waiter = Waiter {
            guard let value = condition(self) else { return false }
            promise.succeed(value)
            return true
        } fail: {
            promise.fail(Ended(reason: self.closeReason))
        }
        if waiter.check() { return }
        self.waiters.append(waiter)
        if self.quic.isClosed { self.failWaiters() }
    }

    /// Nothing will happen any more.
    private func failWaiters() {
        let waiters = self.waiters
        self.waiters.removeAll()
        for waiter in waiters { waiter.fail() }
    }

    private struct Waiter {
        /// Whether it got what it waited for.
        let check: () -> Bool
        let fail: () -> Void
    }

    /// The connection ended before what a test waits for.
    struct Ended: Error {
        let reason: ConnectionCloseReason?
    }

    // MARK: From a test's task

    /// The way from a test to its peer.
    struct Handle: Sendable {
        let peer: NIOLoopBound<RawPeer>
        let channel: any Channel

        /// Does something with the peer, and sends what that led to.
        @discardableResult
        func perform<Result: Sendable>(_ body: @escaping @Sendable (RawPeer) throws -> Result) async throws -> Result {
            let peer = self.peer
            return try await peer.eventLoop.submit {
                defer { peer.value.turn() }
                return try body(peer.value)
            }.get()
        }

        /// Waits until there is something to report.
        func wait<Value: Sendable>(for condition: @escaping @Sendable (RawPeer) -> Value?) async throws -> Value {
            let peer = self.peer
            return try await peer.eventLoop.flatSubmit {
                let promise = peer.eventLoop.makePromise(of: Value.self)
                peer.value.wait(condition, promise: promise)
                return promise.futureResult
            }.get()
        }

        /// Waits for the end of the connection.
        /// - Returns: the server's application error code, or nil when it ended otherwise.
        func closeCode() async throws -> UInt64? {
            guard case .closedByPeer(let code, isApplication: true, _) = try await self.wait(for: { $0.closeReason })
            else { return nil }
            return code
        }

        /// Waits until something is true.
        func wait(until condition: @escaping @Sendable (RawPeer) -> Bool) async throws {
            try await self.wait { condition($0) ? () : nil }
        }
    }

    /// Connects, waits for the handshake, and gives `body` the peer.
    static func withPeer(
        of client: Loopback.Client,
        sendsSettings: Bool = true,
        _ body: (Handle) async throws -> Void
    ) async throws {
        let port = Int(client.authority.split(separator: ":").last!)!
        let remote = try SocketAddress(ipAddress: "127.0.0.1", port: port)
        let configuration = ClientConfiguration(
            transport: TransportConfiguration(),
            credentials: client.configuration.credentials,
            serverName: "localhost",
            applicationProtocols: ["h3"]
        )
        let loop = Loopback.group.next()
        let (peer, channel) = try await loop.flatSubmit {
            let peer = RawPeer(remote: remote, configuration: configuration, sendsSettings: sendsSettings)
            let bound = NIOLoopBound(peer, eventLoop: loop)
            return DatagramBootstrap(group: loop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(bound.value)
                    }
                }
                .bind(host: "127.0.0.1", port: 0)
                .map { (bound, $0) }
        }.get()
        let handle = Handle(peer: peer, channel: channel)
        do {
            try await handle.wait { $0.isReady || $0.closeReason != nil }
            try await body(handle)
            try await handle.perform { $0.quic.close(code: 0x100, at: .now()) }
            try await channel.close()
        } catch {
            try? await channel.close()
            throw error
        }
    }
}
