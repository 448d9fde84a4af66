/// The limits of one session in both directions (draft-ietf-webtrans-http3 § 5), where both ends keep them.
///
/// Only the bodies of streams count as data, and streams count for ever, closed or not. It says what must be sent to
/// the peer; what it throws ends the session with WT_FLOW_CONTROL_ERROR.
package struct SessionFlowControl {
    /// What a capsule of flow control says (§ 5.6).
    package enum Message: Hashable, Sendable {
        case maxData(UInt64)
        case maxStreams(StreamKind, UInt64)
        case dataBlocked(UInt64)
        case streamsBlocked(StreamKind, UInt64)
    }

    package enum StreamKind: Hashable, Sendable, CaseIterable {
        case bidirectional
        case unidirectional
    }

    /// The peer broke a limit, or a rule for limits.
    package struct Violation: Error, Hashable {
        /// One sentence for a person.
        package let reason: String
    }

    private var sentData: SendingAllowance
    private var openedBidirectional: SendingAllowance
    private var openedUnidirectional: SendingAllowance
    private var receivedData: ReceivingAllowance
    private var acceptedBidirectional: ReceivingAllowance
    private var acceptedUnidirectional: ReceivingAllowance

    package init(_ limits: Negotiation.FlowControl) {
        let (granted, received) = (limits.granted, limits.received)
        self.sentData = SendingAllowance(limit: received.data)
        self.openedBidirectional = SendingAllowance(limit: received.bidirectionalStreams)
        self.openedUnidirectional = SendingAllowance(limit: received.unidirectionalStreams)
        self.receivedData = ReceivingAllowance(window: granted.data, maxLimit: SessionLimits.maxData)
        self.acceptedBidirectional = ReceivingAllowance(
            window: granted.bidirectionalStreams,
            maxLimit: SessionLimits.maxStreams
        )
        self.acceptedUnidirectional = ReceivingAllowance(
            window: granted.unidirectionalStreams,
            maxLimit: SessionLimits.maxStreams
        )
    }

    // MARK: Sending

    /// Takes credit for data.
    /// - Returns: how many bytes may be sent now.
    package mutating func takeData(upTo count: Int) -> Int {
        Int(self.sentData.take(upTo: UInt64(count)))
    }

    /// Whether data may be sent now.
    package var hasDataCredit: Bool { self.sentData.available > 0 }

    /// A stream has ended, and did not send all that credit was taken for: it was reset, or the peer stopped it. The
    /// peer counts a stream's final size (§ 5.4).
    package mutating func giveBackData(_ count: UInt64) {
        self.sentData.giveBack(count)
    }

    /// Data waits for credit.
    /// - Returns: what to tell the peer, once for each limit.
    package mutating func dataBlocked() -> Message? {
        self.sentData.blocked().map(Message.dataBlocked)
    }

    /// Whether a stream may be opened now.
    package func mayOpenStream(_ kind: StreamKind) -> Bool {
        switch kind {
        case .bidirectional: self.openedBidirectional.available > 0
        case .unidirectional: self.openedUnidirectional.available > 0
        }
    }

    /// - Precondition: it may be opened.
    package mutating func streamOpened(_ kind: StreamKind) {
        let taken =
            switch kind {
            case .bidirectional: self.openedBidirectional.take(upTo: 1)
            case .unidirectional: self.openedUnidirectional.take(upTo: 1)
            }
        precondition(taken == 1, "a stream is opened when there is credit for it")
    }

    /// A stream waits for credit.
    /// - Returns: what to tell the peer, once for each limit.
    package mutating func streamsBlocked(_ kind: StreamKind) -> Message? {
        let limit =
            switch kind {
            case .bidirectional: self.openedBidirectional.blocked()
            case .unidirectional: self.openedUnidirectional.blocked()
            }
        return limit.map { .streamsBlocked(kind, $0) }
    }

    // MARK: Receiving

    /// Bytes of a stream's body have arrived, or it was reset and its final size says that they were sent.
    package mutating func dataReceived(_ count: UInt64) throws(Violation) {
        guard self.receivedData.receive(count) else {
            throw Violation(reason: "the peer sent more than the \(self.receivedData.limit) bytes that it may")
        }
    }

    /// The application has taken bytes that were received, or nobody will.
    /// - Returns: what to tell the peer.
    package mutating func dataSettled(_ count: UInt64) -> Message? {
        self.receivedData.settle(count).map(Message.maxData)
    }

    /// The peer opened a stream.
    package mutating func streamArrived(_ kind: StreamKind) throws(Violation) {
        let (isAllowed, limit) =
            switch kind {
            case .bidirectional: (self.acceptedBidirectional.receive(1), self.acceptedBidirectional.limit)
            case .unidirectional: (self.acceptedUnidirectional.receive(1), self.acceptedUnidirectional.limit)
            }
        guard isAllowed else {
            throw Violation(reason: "the peer opened more than the \(limit) \(kind) streams that it may")
        }
    }

    /// A stream that the peer opened is gone.
    /// - Returns: what to tell the peer.
    package mutating func streamSettled(_ kind: StreamKind) -> Message? {
        let limit =
            switch kind {
            case .bidirectional: self.acceptedBidirectional.settle(1)
            case .unidirectional: self.acceptedUnidirectional.settle(1)
            }
        return limit.map { .maxStreams(kind, $0) }
    }

    /// A stream has ended in a way that hides how much the peer has sent on it: this end had asked it to stop, and its
    /// FIN was on the way already.
    package mutating func dataMayHaveBeenMissed() {
        self.receivedData.mayHaveMissed(.max)
    }

    /// The peer has opened a stream, and given it up before it was known whether it is the session's (§ 5.3).
    package mutating func streamMayHaveBeenMissed(_ kind: StreamKind) {
        switch kind {
        case .bidirectional: self.acceptedBidirectional.mayHaveMissed(1)
        case .unidirectional: self.acceptedUnidirectional.mayHaveMissed(1)
        }
    }

    // MARK: Capsules

    /// - Returns: what to tell the peer.
    package mutating func received(_ message: Message) throws(Violation) -> Message? {
        switch message {
        case .maxData(let limit):
            guard self.sentData.raise(to: limit) else { throw Violation(notRising: "WT_MAX_DATA", limit) }
        case .maxStreams(let kind, let limit):
            try Self.checkStreams(limit)
            let hasRisen =
                switch kind {
                case .bidirectional: self.openedBidirectional.raise(to: limit)
                case .unidirectional: self.openedUnidirectional.raise(to: limit)
                }
            guard hasRisen else { throw Violation(notRising: "WT_MAX_STREAMS for \(kind) ones", limit) }
        case .dataBlocked(let limit):
            // Nobody waits for these two capsules; but they say how much was sent.
            return self.receivedData.peerBlocked(at: limit).map(Message.maxData)
        case .streamsBlocked(.bidirectional, let limit):
            try Self.checkStreams(limit)
            return self.acceptedBidirectional.peerBlocked(at: limit).map { .maxStreams(.bidirectional, $0) }
        case .streamsBlocked(.unidirectional, let limit):
            try Self.checkStreams(limit)
            return self.acceptedUnidirectional.peerBlocked(at: limit).map { .maxStreams(.unidirectional, $0) }
        }
        return nil
    }

    /// § 5.6.2, § 5.6.3.
    private static func checkStreams(_ limit: UInt64) throws(Violation) {
        guard limit <= SessionLimits.maxStreams else {
            throw Violation(reason: "a capsule says \(limit) streams, of which there cannot be more than 2^60")
        }
    }
}

extension SessionFlowControl.Violation {
    /// § 5.6.2, § 5.6.4: capsules arrive in the order in which they were sent, so a limit can only rise.
    fileprivate init(notRising capsule: String, _ limit: UInt64) {
        self.init(reason: "\(capsule) says \(limit), which is not more than before")
    }
}
