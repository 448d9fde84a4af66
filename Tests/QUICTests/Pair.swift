import Credentials
import NIOCore
import QUIC

/// Two endpoints in memory, joined by a link with delay and loss, under a clock that jumps to the next thing due.
final class Pair {
    private(set) var server: Endpoint
    let client: Endpoint
    private let serverConfiguration: ServerConfiguration
    private let serverSecrets: EndpointSecrets
    private(set) var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private(set) var serverConnection: Connection?
    private(set) var clientConnection: Connection!
    /// What the connections reported, in order.
    private(set) var serverEvents: [ConnectionEvent] = []
    private(set) var clientEvents: [ConnectionEvent] = []

    /// The delay of the link in each direction.
    var delay = TimeAmount.milliseconds(10)
    /// Decides over each datagram: true loses it.
    var loses: (Bytes) -> Bool = { _ in false }
    /// Changes a datagram on its way to the server.
    var alterToServer: (inout Bytes) -> Void = { _ in }
    /// The ECN codepoint with which packets arrive at the server; nil leaves what the client set.
    var arrivingECN: UInt8?
    private(set) var sentECN: Set<UInt8> = []
    private(set) var datagramsToServer: [Bytes] = []
    private(set) var datagramsToClient: [Bytes] = []
    private(set) var clientAddress = NetworkAddress(try! SocketAddress(ipAddress: "127.0.0.1", port: 50_000))!
    private let serverAddress = NetworkAddress(try! SocketAddress(ipAddress: "127.0.0.1", port: 4433))!

    typealias Bytes = [UInt8]

    private struct Packet {
        var bytes: Bytes
        var path: NetworkPath
        var ecn: UInt8
        var arrival: NIODeadline
        var isForServer: Bool
    }
    private var link: [Packet] = []
    private let scratch = UnsafeMutableRawBufferPointer.allocate(
        byteCount: Connection.transmitBufferSize,
        alignment: 8
    )

    static let certificate = try! DevelopmentCertificate(hosts: ["localhost"])

    /// What outlives a pair: the server's keys, and the client's memory.
    struct Continuity {
        var ticketKey = try! SessionTicketKey()
        var replayFilter: ReplayFilter? = ReplayFilter()
        var secrets = EndpointSecrets(resetKey: Pair.resetKey)
        var store = ResumptionStore()
    }

    /// - Parameters:
    ///   - continuity: makes the server issue tickets and tokens that a later pair understands, and the client keep
    ///     them.
    ///   - sendsEarlyData: whether the client sends before the handshake when it has a ticket for it.
    ///   - start: the clock's time, counted from when every pair begins.
    init(
        retry: RetryPolicy = .never,
        maxConnections: Int = 16,
        maxHandshakes: Int = 16,
        transport: TransportConfiguration = TransportConfiguration(),
        clientTransport: TransportConfiguration? = nil,
        clientProtocols: [String] = ["h3"],
        trust: CertificateVerification? = nil,
        continuity: Continuity? = nil,
        sendsEarlyData: Bool = false,
        startingAt start: TimeAmount = .zero
    ) throws {
        self.now = self.now + start
        let identity = try Self.certificate.makeIdentity()
        var configuration = ServerConfiguration(
            transport: transport,
            identities: IdentityStore(identity),
            ticketKey: try continuity?.ticketKey ?? SessionTicketKey(),
            applicationProtocols: ["h3"]
        )
        configuration.replayFilter = continuity?.replayFilter
        configuration.retry = retry
        configuration.maxConnections = maxConnections
        configuration.maxHandshakes = maxHandshakes
        self.serverConfiguration = configuration
        self.serverSecrets = (continuity ?? Continuity()).secrets
        self.server = Self.makeServer(configuration, self.serverSecrets)
        self.client = Endpoint(index: 0, secrets: EndpointSecrets(), server: nil)
        var client = ClientConfiguration(
            transport: clientTransport ?? transport,
            credentials: try ClientCredentials(verification: trust ?? .fingerprints([identity.fingerprint])),
            serverName: "localhost",
            applicationProtocols: clientProtocols
        )
        client.resumption = continuity?.store
        client.sendsEarlyData = sendsEarlyData
        self.clientConnection = try self.client.connect(path: self.clientPath, configuration: client, at: self.now)
    }

    deinit {
        self.scratch.deallocate()
    }

    /// The server's process ends without a word, and another takes its place.
    func restartServer() {
        self.serverConnection = nil
        self.server = Self.makeServer(self.serverConfiguration, EndpointSecrets(resetKey: Self.resetKey))
    }

    private static let resetKey = [UInt8](repeating: 7, count: 32)

    private static func makeServer(_ configuration: ServerConfiguration, _ secrets: EndpointSecrets) -> Endpoint {
        Endpoint(index: 3, of: 16, secrets: secrets, server: configuration)
    }

    var clientPath: NetworkPath { NetworkPath(local: self.clientAddress, remote: self.serverAddress) }

    /// The client's packets come from another port from now on, as after a NAT rebinding.
    func rebindClient(port: UInt16) {
        self.clientAddress.port = port
    }

    func advance(by amount: TimeAmount) {
        self.now = self.now + amount
    }

    // MARK: Driving

    /// Runs until nothing is under way, or until `condition` holds.
    /// - Returns: whether the condition was met.
    @discardableResult
    func run(for limit: TimeAmount = .seconds(120), until condition: (Pair) -> Bool = { _ in false }) -> Bool {
        let end = self.now + limit
        while true {
            self.transmit(self.clientConnection, isServer: false)
            if let connection = self.serverConnection { self.transmit(connection, isServer: true) }
            self.collectEvents()
            if condition(self) { return true }
            guard let next = self.nextDeadline, next <= end else { return false }
            self.now = max(self.now, next)
            self.deliverDue()
            self.clientConnection.handleTimeout(at: self.now)
            self.serverConnection?.handleTimeout(at: self.now)
        }
    }

    private var nextDeadline: NIODeadline? {
        let candidates = [
            self.link.map(\.arrival).min(), self.clientConnection.deadline, self.serverConnection?.deadline,
        ]
        return candidates.compactMap { $0 }.min()
    }

    private func transmit(_ connection: Connection, isServer: Bool) {
        while true {
            let result = connection.transmit(at: self.now, using: self.scratch) { run in
                var rest = run.bytes[...]
                while !rest.isEmpty {
                    self.send(Bytes(rest.prefix(run.segmentSize)), run.path, ecn: run.ecn, fromServer: isServer)
                    rest = rest.dropFirst(run.segmentSize)
                }
                return .sent
            }
            guard case .wantsAnotherTurn = result else { return }
        }
    }

    private func send(_ bytes: Bytes, _ path: NetworkPath, ecn: UInt8, fromServer: Bool) {
        if fromServer { self.datagramsToClient.append(bytes) } else { self.datagramsToServer.append(bytes) }
        self.sentECN.insert(ecn)
        guard !self.loses(bytes) else { return }
        // What one end sends to is where the other end is; a rebound client is seen at its new address.
        let received =
            fromServer
            ? NetworkPath(local: self.clientPath.local, remote: path.local)
            : NetworkPath(local: path.remote, remote: self.clientAddress)
        if fromServer, path.remote != self.clientAddress { return }
        var bytes = bytes
        if !fromServer { self.alterToServer(&bytes) }
        let clientSide = NetworkPath(local: self.clientConnection.path.local, remote: path.local)
        self.link.append(
            Packet(
                bytes: bytes,
                path: fromServer ? clientSide : received,
                ecn: fromServer ? ecn : (self.arrivingECN ?? ecn),
                arrival: self.now + self.delay,
                isForServer: !fromServer
            )
        )
    }

    private func deliverDue() {
        let due = self.link.filter { $0.arrival <= self.now }
        self.link.removeAll { $0.arrival <= self.now }
        for packet in due { self.deliver(packet) }
    }

    private func deliver(_ packet: Packet) {
        packet.bytes.withUnsafeBytes { bytes in
            let endpoint = packet.isForServer ? self.server : self.client
            let disposition = endpoint.receive(
                bytes,
                on: packet.path,
                ecn: packet.ecn,
                at: self.now,
                scratch: self.scratch
            )
            switch disposition {
            case .accepted(let connection):
                self.serverConnection = connection
            case .respond(let count):
                let response = Bytes(self.scratch[..<count])
                self.send(response, packet.path, ecn: 0, fromServer: packet.isForServer)
            case .delivered, .forward, .dropped:
                break
            }
        }
    }

    /// Gives the server a datagram as if the client's address had sent it.
    func inject(_ bytes: Bytes) -> Endpoint.Disposition {
        bytes.withUnsafeBytes {
            self.server.receive(
                $0,
                on: NetworkPath(local: self.serverAddress, remote: self.clientAddress),
                ecn: 0,
                at: self.now,
                scratch: self.scratch
            )
        }
    }

    private func collectEvents() {
        while let event = self.clientConnection.nextEvent() { self.clientEvents.append(event) }
        while let event = self.serverConnection?.nextEvent() { self.serverEvents.append(event) }
    }

    // MARK: What was seen

    var isEstablished: Bool {
        func completed(_ events: [ConnectionEvent]) -> Bool {
            events.contains { if case .handshakeCompleted = $0 { true } else { false } }
        }
        return completed(self.serverEvents) && completed(self.clientEvents)
    }

    /// The bytes a side received on a stream, and whether the stream ended.
    static func received(_ events: [ConnectionEvent], on id: StreamID) -> (bytes: Bytes, isFinal: Bool) {
        var bytes: Bytes = []
        var ended = false
        for case .streamData(id, let data, let isFinal) in events {
            bytes += Bytes(data.readableBytesView)
            ended = ended || isFinal
        }
        return (bytes, ended)
    }

    static func datagrams(_ events: [ConnectionEvent]) -> [Bytes] {
        events.compactMap { if case .datagram(let payload) = $0 { Bytes(payload.readableBytesView) } else { nil } }
    }

    static func closeReason(_ events: [ConnectionEvent]) -> ConnectionCloseReason? {
        for case .closed(let reason) in events { return reason }
        return nil
    }
}

/// A small generator of reproducible fates (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        self.state = seed
    }

    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var z = self.state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
