import Credentials
import NIOCore

@testable import QUIC

extension FuzzTarget {
    /// A server's first datagram: Retry, Version Negotiation, resets, and packets that nobody has encrypted.
    ///
    /// Each input comes as it is, and with the ID in it that the client has chosen, without which it reaches nobody.
    static let quicClient = FuzzTarget("quic-client") { input in
        for isAddressed in [false, true] {
            for copies in [1, 2] {
                var client = try QUICClient()
                let datagram = isAddressed ? client.address(input) : Array(input)
                for _ in 0..<copies { try client.receive(datagram) }
                try client.end()
            }
        }
    }
}

private struct QUICClient {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private static let path = NetworkPath(
        // Addresses in these forms are always valid, and never those of Unix domain sockets.
        local: NetworkAddress(try! SocketAddress(ipAddress: "192.0.2.2", port: 50_000))!,
        remote: NetworkAddress(try! SocketAddress(ipAddress: "192.0.2.1", port: 4433))!
    )
    // A machine that cannot make these has no use for what follows.
    private static let configuration = ClientConfiguration(
        transport: TransportConfiguration(),
        credentials: try! ClientCredentials(verification: .none),
        serverName: "localhost",
        applicationProtocols: ["h3"]
    )

    private let endpoint = Endpoint(index: 0, of: 1, secrets: EndpointSecrets(), server: nil)
    private let connection: Connection
    /// By which the client's packets are to be answered.
    private var sourceID: [UInt8] = []
    private var scratch = [UInt8](repeating: 0, count: Connection.transmitBufferSize)

    init() throws {
        self.connection = try self.endpoint.connect(path: Self.path, configuration: Self.configuration, at: Self.start)
        let first = self.transmit(at: Self.start)
        try first.withUnsafeBytes {
            guard let header = InvariantHeader($0), header.isLong else {
                throw InvariantViolation(description: "a client begins with a long header")
            }
            self.sourceID = header.sourceID.withBytes(Array.init)
        }
    }

    /// Puts the client's ID where the header's form wants it (RFC 8999 § 5).
    func address(_ input: UnsafeRawBufferPointer) -> [UInt8] {
        guard let first = input.first else { return [] }
        guard first & 0x80 != 0 else { return [first] + self.sourceID + input.dropFirst() }
        return Array(input.prefix(5)) + [UInt8(self.sourceID.count)] + self.sourceID + input.dropFirst(5)
    }

    mutating func receive(_ datagram: [UInt8]) throws {
        let disposition = datagram.withUnsafeBytes { bytes in
            self.scratch.withUnsafeMutableBytes {
                self.endpoint.receive(bytes, on: Self.path, ecn: 0, at: Self.start, scratch: $0)
            }
        }
        switch disposition {
        case .accepted, .forward:
            throw InvariantViolation(description: "a client's endpoint takes no connections")
        case .delivered, .respond, .dropped:
            break
        }
        _ = self.transmit(at: Self.start)
    }

    /// The server says nothing more.
    mutating func end() throws {
        var now = Self.start
        while !self.connection.isClosed {
            guard let deadline = self.connection.deadline else {
                throw InvariantViolation(description: "a connection whose server is silent waits for ever")
            }
            now = max(now, deadline)
            try require(now - Self.start < .minutes(10), "a connection whose server is silent ends")
            self.connection.handleTimeout(at: now)
            _ = self.transmit(at: now)
        }
        var ends = 0
        while let event = self.connection.nextEvent() {
            switch event {
            case .closed: ends += 1
            case .streamData, .datagram, .handshakeCompleted:
                throw InvariantViolation(description: "nothing comes of a server without its keys")
            default: break
            }
        }
        try requireEqual(ends, 1, "how often a connection ends, and once")
        self.endpoint.released(self.connection)
        try require(self.endpoint.connections.count == 0, "nothing leads to a connection that has closed")
    }

    /// - Returns: the first datagram.
    private mutating func transmit(at now: NIODeadline) -> [UInt8] {
        var first: [UInt8] = []
        while true {
            let result = self.scratch.withUnsafeMutableBytes {
                self.connection.transmit(at: now, using: $0) { run in
                    if first.isEmpty { first = Array(run.bytes.prefix(run.segmentSize)) }
                    return .sent
                }
            }
            guard case .wantsAnotherTurn = result else { return first }
        }
    }
}
