import HTTP3
import NIOCore
import QUIC

// What a peer may cost this end.

extension PeerConnection {
    /// What the peer makes this end keep.
    var holding: InboundMemory.Holding {
        .init(
            library: self.quic.libraryByteCount,
            leaked: self.quic.leakedByteCount,
            // There are few sessions on a connection.
            untaken: self.sessions.values.reduce(self.untakenByteCount) { $0 + $1.datagrams.byteCount }
        )
    }

    /// Whether the connection may go on holding what it holds, which is looked at anew.
    private func mayHoldOn() -> Bool {
        let holding = self.holding
        self.endpoint.inboundMemory.changed(from: self.seenHolding, to: holding)
        self.seenHolding = holding
        return self.endpoint.inboundMemory.permits(holding, ofEachOf: self.endpoint.connectionCount)
    }

    /// A packet for this connection was read.
    func packetArrived(at now: NIODeadline) {
        self.hasReceived = true
        guard self.quic.isOpen else { return }
        do throws(HTTP3Error) {
            guard self.mayHoldOn() else { throw HTTP3Error(.memory) }
            guard self.quic.isServer else { return }
            let (progress, idlePackets) = (self.quic.progress, self.quic.idlePacketCount)
            if progress != self.seenProgress { self.abuse.earn(progress: progress - self.seenProgress) }
            if idlePackets != self.seenIdlePackets {
                try self.abuse.spend(.idlePackets, idlePackets - self.seenIdlePackets, at: now)
            }
            (self.seenProgress, self.seenIdlePackets) = (progress, idlePackets)
        } catch {
            self.fail(error)
        }
    }

    /// The peer has done something that leads to nothing. A client chose its server, and trusts it with its time.
    /// - Throws: H3_EXCESSIVE_LOAD when that is too much.
    func spend(_ limit: Limit, _ count: Int = 1) throws(HTTP3Error) {
        guard self.quic.isServer, count > 0 else { return }
        try self.abuse.spend(limit, count, at: .now())
    }
}
