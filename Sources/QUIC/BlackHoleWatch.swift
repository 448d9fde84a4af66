package import NIOCore

/// Notices that a path no longer carries large packets (RFC 8899 § 4.3: a black hole), which the library leaves to
/// others.
///
/// An outage looks the same at first: what is sent is not acknowledged. So small packets are tried; once one of them
/// has got through, large ones get another chance. Only when they are lost again does the path stay limited.
package struct BlackHoleWatch: Sendable {
    /// What every path of QUIC carries, in bytes of UDP payload (RFC 9000 § 14).
    package static let smallestPacket = 1200
    /// So many probe timeouts without any acknowledgement are more than congestion (RFC 9002 § 7.6.1).
    private static let patience: Int64 = 3
    /// PMTU_RAISE_TIMER (RFC 8899 § 5.1.1): after this time large packets are tried again.
    private static let raiseInterval = TimeAmount.minutes(10)
    /// In bytes. So much cannot have travelled in the small packets of a trial, which are one probe's.
    private static let proof = 8 * Self.smallestPacket

    private enum State {
        /// Large packets are sent. After a trial they are on probation until `unproven` bytes have been acknowledged.
        case large(unproven: Int)
        /// Small packets are sent, to see whether they get through.
        case trial(isSecond: Bool)
        case limited(until: NIODeadline)
    }
    private var state = State.large(unproven: 0)
    /// Since when stream data is on its way without any of it being acknowledged; nil when none is.
    private var waitingSince: NIODeadline?
    /// Whether a large packet for streams was sent in that time.
    private var didSendLarge = false

    package init() {}

    /// The largest packet to send for streams and the library's own frames, in bytes; nil: what was discovered.
    package var limit: Int? {
        if case .large = self.state { nil } else { Self.smallestPacket }
    }

    /// The same for datagrams. They are not divided, so that a mere trial leaves them as they are.
    package var datagramLimit: Int? {
        if case .limited = self.state { Self.smallestPacket } else { nil }
    }

    /// A packet was sent while stream data was not acknowledged.
    package mutating func packetSent(_ size: Int, hasDatagram: Bool, at now: NIODeadline) {
        if self.waitingSince == nil { self.waitingSince = now }
        // One that was filled up by a datagram says nothing about what streams need.
        if size > Self.smallestPacket, !hasDatagram { self.didSendLarge = true }
    }

    /// Stream data was acknowledged.
    package mutating func acknowledged(_ count: Int, hasUnacknowledgedData: Bool, at now: NIODeadline) {
        self.waitingSince = hasUnacknowledgedData ? now : nil
        self.didSendLarge = false
        switch self.state {
        case .large(let unproven): self.state = .large(unproven: max(0, unproven - count))
        case .trial(isSecond: false): self.state = .large(unproven: Self.proof)
        case .trial(isSecond: true): self.state = .limited(until: now + Self.raiseInterval)
        case .limited: break
        }
    }

    /// A timer of the connection has fired.
    /// - Parameter probeTimeout: the path's PTO (RFC 9002 § 6.2.1), without backoff.
    package mutating func timerFired(probeTimeout: TimeAmount, at now: NIODeadline) {
        switch self.state {
        case .large(let unproven):
            guard self.didSendLarge, let since = self.waitingSince else { return }
            guard now - since >= probeTimeout * Self.patience else { return }
            self.state = .trial(isSecond: unproven > 0)
        case .limited(let until) where until <= now:
            self.state = .large(unproven: Self.proof)
        case .trial, .limited:
            return
        }
    }
}
