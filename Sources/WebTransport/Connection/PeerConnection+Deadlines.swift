import HTTP3
import HTTPSemantics
import NIOCore
import QUIC

// Deadlines: those of QUIC, of requests, and of connections that have nothing to carry.

extension PeerConnection {
    /// Time for a page to open its next session, or to fetch its next resource.
    private static let lingerTime = TimeAmount.seconds(5)
    /// Time for a connection's first session, or between requests for resources.
    private static let sessionlessTime = TimeAmount.seconds(30)

    var deadline: NIODeadline? {
        guard self.quic.isOpen else { return self.quic.deadline }
        return [self.quic.deadline, self.reapDeadline, self.probes.deadline, self.requestDeadlines.next]
            .lazy.compactMap(\.self).min()
    }

    func handleTimeout(at now: NIODeadline) {
        self.quic.handleTimeout(at: now)
        if self.probes.timedOut(at: now, bytesInFlight: self.quic.pathStatistics.bytesInFlight) { self.probeSessions() }
        for id in self.requestDeadlines.takeOverdue(at: now) { self.requestTimedOut(id) }
        guard let reap = self.reapDeadline, reap <= now else { return }
        guard self.http3?.isSendingMessages == true else { return self.close() }
        // A tunnel may be silent for as long as those who use it let it.
        guard !self.tunnels.isEmpty || self.isReadingResponses(at: now) else {
            return self.fail(HTTP3Error(.unreadResponses))
        }
        self.reapDeadline = now + Self.lingerTime
    }

    /// Whether the client takes what it has asked for: some of it in half a minute.
    private func isReadingResponses(at now: NIODeadline) -> Bool {
        let count = self.quic.acknowledgedByteCount
        guard let last = self.responseProgress, count - last.byteCount < ResourceResponse.leastProgress else {
            self.responseProgress = (now, count)
            return true
        }
        return now - last.time < Self.sessionlessTime
    }

    /// A connection that has nothing to carry is closed after a while.
    func updateReaping() {
        guard case .server = self.role else { return }
        if self.http3?.isSendingMessages != true { self.responseProgress = nil }
        // A connection that never asks for anything also ends, and what it sent early for a session with it.
        let time = self.hasCarriedSession ? Self.lingerTime : Self.sessionlessTime
        self.reapDeadline = self.sessions.isEmpty ? .now() + time : nil
    }
}
