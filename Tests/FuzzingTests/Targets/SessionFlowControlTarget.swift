import HTTP3
import NIOCore
import WebTransportCore

@testable import WebTransport

extension FuzzTarget {
    /// The capsules of flow control (draft-ietf-webtrans-http3 § 5.6), and what a session's limits become by them.
    ///
    /// Between capsules there are steps of the session's own: a byte below 32 says which, the next one how much.
    static let sessionFlowControl = FuzzTarget("session-flow-control") { input in
        var session = FlowControlledSession()
        var bytes = ByteBuffer(bytes: input)
        do {
            while let step: UInt8 = bytes.getInteger(at: bytes.readerIndex) {
                if step < 32 {
                    guard let (_, amount) = bytes.readMultipleIntegers(as: (UInt8, UInt8).self) else { return }
                    try session.take(step: step, UInt64(amount))
                } else {
                    guard let capsule = Self.readOneCapsule(&bytes) else { return }
                    guard let message = try Self.message(in: capsule) else { continue }
                    try session.receive(message)
                }
            }
        } catch is FlowControlledSession.Ended {
            // As it must.
        }
    }

    private static func readOneCapsule(_ bytes: inout ByteBuffer) -> Capsule? {
        var decoder = CapsuleDecoder(known: CapsuleType.flowControl, maxPayloadSize: 64)
        do throws(HTTP3Error) {
            return try decoder.next(from: &bytes)
        } catch {
            return nil
        }
    }

    /// What a capsule says, when it is one integer and nothing else.
    private static func message(in capsule: Capsule) throws -> SessionFlowControl.Message? {
        let integer = capsule.payload.withUnsafeReadableBytes { Self.varint($0) }
        let isInteger = integer.map { $0.size == capsule.payload.readableBytes } ?? false
        do {
            guard let message = try SessionFlowControl.Message(capsule) else {
                throw InvariantViolation(description: "a capsule of flow control is a message")
            }
            try require(isInteger, "a message is one integer: \(capsule)")
            let again = Capsule(message)
            try requireEqual(again.type, capsule.type, "the type written, and the one read")
            var payload = again.payload
            let value = payload.readEncodedInteger(as: UInt64.self, strategy: .quic)
            try requireEqual(value, integer?.value, "the value written, and the one read")
            return message
        } catch let error as HTTP3Error {
            try require(!isInteger, "one integer is a message: \(capsule)")
            try requireEqual(error.code, .messageError, "the code for a capsule (RFC 9297 § 3.3), and H3_MESSAGE_ERROR")
            return nil
        }
    }
}

/// A session's limits beside a second count of everything.
private struct FlowControlledSession {
    typealias Kind = SessionFlowControl.StreamKind
    typealias Message = SessionFlowControl.Message

    /// The peer broke a rule, and it was found.
    struct Ended: Error {}

    /// One thing that is counted in both directions.
    private struct Count {
        var sendLimit: UInt64
        var sent: UInt64 = 0
        let window: UInt64
        var receiveLimit: UInt64
        var received: UInt64 = 0
        var settled: UInt64 = 0
        /// How much may have been used up unseen; nil is any number.
        var missed: UInt64? = 0
        let largest: UInt64

        init(sendLimit: UInt64, window: UInt64, largest: UInt64) {
            (self.sendLimit, self.window, self.receiveLimit, self.largest) = (sendLimit, window, window, largest)
        }

        /// The peer is told of credit.
        mutating func grant(_ limit: UInt64) throws {
            try require(limit > self.receiveLimit, "a limit that the peer is told rises")
            try require(limit <= self.largest, "a limit can be written")
            if let missed = self.missed {
                try require(limit <= self.window + self.settled + missed, "the peer is ahead by one window at most")
            }
            self.receiveLimit = limit
        }
    }

    private var control: SessionFlowControl
    private var data: Count
    private var streams: [Kind: Count]

    init() {
        let granted = SessionLimits(data: 300, bidirectionalStreams: 5, unidirectionalStreams: 1)
        let received = SessionLimits(data: 100, bidirectionalStreams: 2, unidirectionalStreams: 0)
        self.control = SessionFlowControl(.init(granted: granted, received: received))
        self.data = Count(sendLimit: 100, window: 300, largest: 1 << 62 - 1)
        self.streams = [
            .bidirectional: Count(sendLimit: 2, window: 5, largest: 1 << 60),
            .unidirectional: Count(sendLimit: 0, window: 1, largest: 1 << 60),
        ]
    }

    private mutating func grant(_ message: Message?) throws {
        switch message {
        case nil: break
        case .maxData(let limit): try self.data.grant(limit)
        case .maxStreams(let kind, let limit): try self.streams[kind]!.grant(limit)
        case .dataBlocked, .streamsBlocked:
            throw InvariantViolation(description: "what arrives does not block what is sent")
        }
    }

    /// Does what the peer may do or not, and ends the session if not.
    private mutating func expect(
        _ isAllowed: Bool,
        _ what: @autoclosure () -> String,
        _ act: (inout SessionFlowControl) throws -> Message?
    ) throws {
        let answer: Message?
        do {
            answer = try act(&self.control)
        } catch is SessionFlowControl.Violation {
            try require(!isAllowed, "this is allowed: \(what())")
            throw Ended()
        }
        try require(isAllowed, "this is a violation: \(what())")
        try self.grant(answer)
    }

    /// § 5.6: limits rise, and nobody speaks of more streams than there can be.
    mutating func receive(_ message: Message) throws {
        let isAllowed: Bool
        switch message {
        case .maxData(let limit):
            isAllowed = limit > self.data.sendLimit
            self.data.sendLimit = limit
        case .maxStreams(let kind, let limit):
            isAllowed = limit > self.streams[kind]!.sendLimit && limit <= 1 << 60
            self.streams[kind]!.sendLimit = limit
        case .dataBlocked: isAllowed = true
        case .streamsBlocked(_, let limit): isAllowed = limit <= 1 << 60
        }
        try self.expect(isAllowed, "\(message)") { try $0.received(message) }
    }

    // MARK: Steps

    mutating func take(step: UInt8, _ amount: UInt64) throws {
        let kind = step & 1 == 0 ? Kind.bidirectional : .unidirectional
        switch step >> 1 {
        case 0: try self.send(amount)
        case 1: self.giveBack(amount)
        case 2: try self.open(kind)
        case 3:
            self.data.received += amount
            try self.expect(self.data.received <= self.data.receiveLimit, "\(amount) bytes") {
                try $0.dataReceived(amount)
                return nil
            }
        case 4:
            let amount = min(amount, self.data.received - self.data.settled)
            self.data.settled += amount
            try self.grant(self.control.dataSettled(amount))
        case 5:
            self.streams[kind]!.received += 1
            let count = self.streams[kind]!
            try self.expect(count.received <= count.receiveLimit, "a stream") {
                try $0.streamArrived(kind)
                return nil
            }
        case 6:
            guard self.streams[kind]!.settled < self.streams[kind]!.received else { return }
            self.streams[kind]!.settled += 1
            try self.grant(self.control.streamSettled(kind))
        case 7:
            self.control.streamMayHaveBeenMissed(kind)
            self.streams[kind]!.missed! += 1
        case 8:
            self.control.dataMayHaveBeenMissed()
            self.data.missed = nil
        default: try self.block(kind)
        }
    }

    private mutating func send(_ amount: UInt64) throws {
        let taken = self.control.takeData(upTo: Int(amount))
        let available = self.data.sendLimit - self.data.sent
        try requireEqual(UInt64(taken), min(amount, available), "what may be sent, and what the peer lets through")
        self.data.sent += UInt64(taken)
        try requireEqual(self.control.hasDataCredit, self.data.sent < self.data.sendLimit, "whether there is credit")
    }

    private mutating func giveBack(_ amount: UInt64) {
        let amount = min(amount, self.data.sent)
        self.data.sent -= amount
        self.control.giveBackData(amount)
    }

    private mutating func open(_ kind: Kind) throws {
        let isAllowed = self.streams[kind]!.sent < self.streams[kind]!.sendLimit
        try requireEqual(self.control.mayOpenStream(kind), isAllowed, "whether a stream may be opened, by both counts")
        guard isAllowed else { return }
        self.control.streamOpened(kind)
        self.streams[kind]!.sent += 1
    }

    /// The peer is told that a limit is in the way only when it is, and once.
    private mutating func block(_ kind: Kind) throws {
        let (data, streams) = (self.data, self.streams[kind]!)
        if let message = self.control.dataBlocked() {
            try requireEqual(message, .dataBlocked(data.sendLimit), "what the peer is told, and the limit")
            try require(data.sent == data.sendLimit, "the limit of data is in the way")
        }
        if let message = self.control.streamsBlocked(kind) {
            try requireEqual(message, .streamsBlocked(kind, streams.sendLimit), "what the peer is told, and the limit")
            try require(streams.sent == streams.sendLimit, "the limit of streams is in the way")
        }
        let again = (self.control.dataBlocked(), self.control.streamsBlocked(kind))
        try require(again == (nil, nil), "the peer is told once")
    }
}
