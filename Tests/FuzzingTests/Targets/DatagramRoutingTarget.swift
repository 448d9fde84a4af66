import Credentials
import NIOCore

@testable import QUIC

extension FuzzTarget {
    /// What becomes of a datagram before anything in it is believed: connection IDs, versions, tokens.
    ///
    /// Each input comes as it is, and padded to the size of a datagram that may begin a connection (RFC 9000 § 14.1).
    static let datagramRouting = FuzzTarget("datagram-routing") { input in
        try Self.route(Array(input))
        try Self.route(Array(input) + [UInt8](repeating: 0, count: max(0, 1200 - input.count)))
    }

    private static func route(_ datagram: [UInt8]) throws {
        try datagram.withUnsafeBytes { bytes in
            try Self.checkHeaders(bytes)
            for retry in [RetryPolicy.never, .always] {
                for maxConnections in [0, 1] {
                    var router = Router(retry: retry, maxConnections: maxConnections)
                    try router.receive(bytes)
                }
            }
        }
    }

    private static func checkHeaders(_ datagram: UnsafeRawBufferPointer) throws {
        let expected = InvariantFields(datagram)
        if let header = InvariantHeader(datagram) {
            try requireEqual(
                InvariantFields(header),
                expected,
                "the fields that all versions share, and RFC 8999 § 5 read by hand"
            )
        } else if let expected, !expected.isLong || expected.version == 1 {
            try require(
                expected.destinationID.count > 20 || expected.sourceID.count > 20,
                "a packet of version 1 with short IDs has a header"
            )
        }
        guard let initial = InitialHeader(datagram) else { return }
        // RFC 9000 § 14.1 and § 17.2.2.
        try require(datagram.count >= 1200, "a client's first datagram has 1200 bytes")
        try require(expected?.isLong == true && initial.version == 1, "an Initial has a long header of version 1")
        try require(initial.token.count <= datagram.count, "a token is part of its packet")
        let validity = EndpointSecrets().validate(
            token: initial.token,
            from: Router.path.remote,
            version: initial.version,
            destinationID: initial.destinationID,
            at: Router.start
        )
        try require(validity == .none || validity == .invalidRetry, "nobody else can make a token")
    }
}

/// RFC 8999 § 5, read by hand. A short header is followed by an ID of the length that we issue.
private struct InvariantFields: Equatable {
    var isLong: Bool
    var version: UInt32 = 0
    var destinationID: [UInt8]
    var sourceID: [UInt8] = []

    init?(_ datagram: UnsafeRawBufferPointer) {
        guard let first = datagram.first else { return nil }
        var rest = datagram.dropFirst()
        func take(_ count: Int) -> [UInt8]? {
            guard rest.count >= count else { return nil }
            defer { rest = rest.dropFirst(count) }
            return Array(rest.prefix(count))
        }
        self.isLong = first & 0x80 != 0
        guard self.isLong else {
            guard let id = take(ConnectionID.issuedLength) else { return nil }
            self.destinationID = id
            return
        }
        guard let version = take(4), let size = take(1), let destinationID = take(Int(size[0])),
            let sourceSize = take(1), let sourceID = take(Int(sourceSize[0]))
        else { return nil }
        self.version = version.reduce(0) { $0 << 8 | UInt32($1) }
        self.destinationID = destinationID
        self.sourceID = sourceID
    }

    init(_ header: InvariantHeader) {
        self.isLong = header.isLong
        self.version = header.isLong ? header.version : 0
        self.destinationID = header.destinationID.withBytes(Array.init)
        self.sourceID = header.sourceID.withBytes(Array.init)
    }
}

/// A server's endpoint, the client's address, and a clock.
private struct Router {
    static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    static let path = NetworkPath(
        // Addresses in these forms are always valid, and never those of Unix domain sockets.
        local: NetworkAddress(try! SocketAddress(ipAddress: "192.0.2.1", port: 4433))!,
        remote: NetworkAddress(try! SocketAddress(ipAddress: "192.0.2.2", port: 50_000))!
    )
    private static let endpointCount = 16
    // A machine that cannot make a key has no use for what follows.
    private static let identities = IdentityStore(try! DevelopmentCertificate(hosts: ["localhost"]).makeIdentity())
    private static let ticketKey = try! SessionTicketKey()

    private let endpoint: Endpoint
    private let other: Endpoint
    private var scratch = [UInt8](repeating: 0, count: Connection.transmitBufferSize)

    init(retry: RetryPolicy, maxConnections: Int) {
        var configuration = ServerConfiguration(
            transport: TransportConfiguration(),
            identities: Self.identities,
            ticketKey: Self.ticketKey,
            applicationProtocols: ["h3"]
        )
        configuration.retry = retry
        configuration.maxConnections = maxConnections
        let secrets = EndpointSecrets()
        self.endpoint = Endpoint(index: 3, of: Self.endpointCount, secrets: secrets, server: configuration)
        self.other = Endpoint(index: 4, of: Self.endpointCount, secrets: secrets, server: configuration)
    }

    mutating func receive(_ datagram: UnsafeRawBufferPointer) throws {
        switch self.deliver(datagram, to: self.endpoint) {
        case .delivered:
            throw InvariantViolation(description: "a datagram is delivered where there is no connection")
        case .accepted(let connection):
            let length = InvariantFields(datagram)?.destinationID.count ?? 0
            try require(length >= 8, "the ID that a client chooses has 8 bytes at least (RFC 9000 § 7.2)")
            try self.end(connection, begunBy: datagram.count)
        case .respond(let count):
            try require(count <= 3 * datagram.count, "an answer has at most three times the bytes (RFC 9000 § 8)")
            if datagram[0] & 0x80 == 0 {
                try require(count < datagram.count, "a reset is smaller than what provoked it (RFC 9000 § 10.3.3)")
            }
            let answer = Array(self.scratch[..<count])
            if case .respond(let next) = answer.withUnsafeBytes({ self.deliver($0, to: self.other) }) {
                try require(next < count, "two servers do not answer each other for ever (RFC 9000 § 10.3.3)")
            }
        case .forward(let index):
            try require(index != 3 && index < Self.endpointCount, "a datagram goes to another endpoint that there is")
        case .dropped:
            break
        }
    }

    private mutating func deliver(_ datagram: UnsafeRawBufferPointer, to endpoint: Endpoint) -> Endpoint.Disposition {
        self.scratch.withUnsafeMutableBytes {
            endpoint.receive(datagram, on: Self.path, ecn: 0, at: Self.start, scratch: $0)
        }
    }

    /// Lets a connection say what it wants, then forget its peer.
    private mutating func end(_ connection: Connection, begunBy byteCount: Int) throws {
        var sent = 0
        func transmit(at now: NIODeadline) {
            while true {
                let result = self.scratch.withUnsafeMutableBytes {
                    connection.transmit(at: now, using: $0) { run in
                        sent += run.bytes.count
                        return .sent
                    }
                }
                guard case .wantsAnotherTurn = result else { return }
            }
        }
        var now = Self.start
        transmit(at: now)
        while !connection.isClosed {
            guard let deadline = connection.deadline else {
                throw InvariantViolation(description: "a connection whose client is silent waits for ever")
            }
            now = max(now, deadline)
            try require(now - Self.start < .minutes(10), "a connection whose client is silent ends")
            connection.handleTimeout(at: now)
            transmit(at: now)
        }
        try require(
            sent <= 3 * byteCount,
            "a client without a proved address gets three times the bytes (RFC 9000 § 8.1)"
        )
        while let event = connection.nextEvent() {
            if case .streamData = event {
                throw InvariantViolation(description: "a stream has data before the handshake")
            }
        }
        self.endpoint.released(connection)
        try require(self.endpoint.connections.count == 0, "nothing leads to a connection that has closed")
    }
}
