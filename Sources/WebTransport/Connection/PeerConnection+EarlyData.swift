import HTTP3
import HTTPTypes
import NIOCore
import QUIC

// A client's part of resumption, and its request for a resource: the one thing that is sent before the handshake.

extension PeerConnection {
    /// Time for the server's ticket to arrive behind its answer.
    private static let ticketTime = TimeAmount.seconds(1)

    // MARK: A resource

    /// HTTP/3 has begun, perhaps before the handshake.
    func submit(_ fetch: ResourceFetch) throws(HTTP3Error) {
        guard let http3 = self.http3, !fetch.isOver else { return }
        do {
            let id = try self.quic.openStream(.bidirectional)
            try http3.submit(fetch.head, on: id.rawValue, isFinal: true)
            fetch.submitted(on: id.rawValue, isEarly: self.quic.earlyTerms != nil && !self.quic.isEarlyDataAccepted)
            self.markDirty()
        } catch let error as HTTP3Error { throw error } catch {
            fetch.fail(.notSupported("the server does not allow a request stream"))
        }
    }

    func responseReceived(_ streamID: Int64, _ response: HTTPResponse, to fetch: ResourceFetch) throws(HTTP3Error) {
        if response.status == .tooEarly, fetch.mayBeTooEarly {
            // RFC 8470 § 4: once more, now that the handshake is complete.
            try self.submit(fetch)
        } else {
            fetch.received(response, on: streamID)
        }
    }

    /// A connection that has served its purpose waits for nothing but the ticket with which the next one resumes.
    func closeWhenFetched(_ fetch: ResourceFetch) {
        guard fetch.isOver, self.quic.isOpen else { return }
        if self.quic.hasAllForResumption {
            self.close()
        } else if self.reapDeadline == nil {
            self.reapDeadline = .now() + Self.ticketTime
            self.markDirty()
        }
    }

    // MARK: Early data

    /// The server has not taken what was sent early: the streams of HTTP/3 are gone, and with them all state of it
    /// (RFC 9001 § 4.6.2).
    func restartHTTP3() throws(HTTP3Error) {
        self.http3 = nil
        self.outputStreams.removeAll()
        self.blockedOutput.removeAll()
        try self.startHTTP3()
    }

    /// A client compares the server's settings with those it relied on when it sent early, and keeps them for when it
    /// does so the next time.
    func compareAndRemember(_ settings: [Setting]) throws(HTTP3Error) {
        guard !self.quic.isServer else { return }
        if let remembered = self.quic.earlyTerms.flatMap(RememberedSettings.init(encoded:)) {
            try remembered.check(against: settings)
        }
        self.quic.rememberTerms(RememberedSettings(settings).encoded)
    }
}
