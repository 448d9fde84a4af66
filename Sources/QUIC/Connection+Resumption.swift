import CNgtcp2
import Credentials
import NIOCore

// What connects one connection of a client with the next (RFC 9001 § 4.5, § 4.6; RFC 9000 § 8.1.3).

extension Connection {
    /// A client's side of it.
    struct Resumption {
        let store: ResumptionStore
        let server: ResumptionStore.Server
        /// The ticket that came last, and whether it is good for early data.
        var ticket: (ResumptionTicket, takesEarlyData: Bool)?
        /// What the application has said about the server, for early data with the ticket.
        var applicationTerms: [UInt8]?
    }

    /// Whether the handshake was shortened by a session that both ends remember.
    package var isResumed: Bool { self.tls.isResumed }

    /// Whether data that was sent before the handshake was complete has been taken, or could have been: a server says
    /// so whether or not there was any.
    package var isEarlyDataAccepted: Bool { self.tls.isEarlyDataAccepted }

    /// What the application told `rememberTerms` on the connection that this one resumes: what it may assume of the
    /// server, and must find confirmed. Nil when no data is sent early, or what was sent has been rejected.
    package var earlyTerms: [UInt8]? { self.earlyDataTerms?.application }

    /// Whether the server has sent a ticket that a later connection can resume, and it is stored.
    package var hasStoredTicket: Bool { self.resumption?.ticket != nil }

    /// Whether there is nothing to wait for on behalf of a later connection: all is stored, or nobody stores it.
    package var hasAllForResumption: Bool {
        guard let resumption = self.resumption else { return true }
        return resumption.ticket != nil && resumption.applicationTerms != nil
    }

    /// Tells what the application may assume of the server when a later connection sends data early. Without it none
    /// does.
    package func rememberTerms(_ terms: [UInt8]) {
        self.resumption?.applicationTerms = terms
        self.storeTicket()
    }

    /// Makes the remembered limits hold until the server's arrive, so that streams can be opened at once.
    func assume(_ terms: EarlyDataTerms) {
        let parameters = terms.transportParameters
        let result = CNgtcp2_conn_decode_and_set_0rtt_transport_params(self.handle, parameters, parameters.count)
        // What was remembered came from the library itself. If it cannot be used, nothing is sent early.
        guard result == 0 else { return }
        self.earlyDataTerms = terms
        self.events.append(.readyToSend)
    }

    func keyForSendingInstalled() {
        // What was sent early goes on under the new key.
        if self.earlyDataTerms == nil { self.events.append(.readyToSend) }
    }

    /// The handshake is complete: whether what was sent before stands.
    ///
    /// It is called from within the library, whose one verb it uses. That must happen here, since what follows in the
    /// same datagram already belongs to the connection as it is afterwards.
    func settleEarlyData() -> Int32 {
        guard self.earlyDataTerms != nil, !self.tls.isEarlyDataAccepted else { return 0 }
        self.earlyDataTerms = nil
        let result = CNgtcp2_conn_tls_early_data_rejected(self.handle)
        // RFC 9001 § 4.6.2: the state of all streams is reset. The library has forgotten them, and points at none of
        // their bytes any more.
        self.streams.removeAll()
        self.heldByteCount = 0
        self.unacknowledgedByteCount = 0
        self.newlyAcknowledgedByteCount = 0
        self.sendQueue.removeAll()
        self.creditQueue.removeAll()
        self.blockedStreams.removeAll()
        self.dueResets.removeAll()
        self.datagrams.removeAll()
        self.events.append(.earlyDataRejected)
        return result
    }

    // MARK: What is remembered

    /// Takes what the library has left behind while it read.
    func noteTicket() {
        guard case .complete(let ticket, let takesEarlyData) = self.tls.received else { return }
        self.tls.received = .none
        self.resumption?.ticket = (ticket, takesEarlyData)
        self.storeTicket()
    }

    private func storeTicket() {
        guard let resumption = self.resumption, case (var ticket, let takesEarlyData)? = resumption.ticket else {
            return
        }
        if takesEarlyData, let terms = resumption.applicationTerms {
            ticket.earlyData = EarlyDataTerms(transportParameters: self.rememberedParameters(), application: terms)
        }
        resumption.store.remember(ticket, of: resumption.server)
    }

    /// The server's limits, as RFC 9000 § 7.4.1 has them remembered.
    private func rememberedParameters() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 256) { buffer, count in
            let written = CNgtcp2_conn_encode_0rtt_transport_params(self.handle, buffer.baseAddress, buffer.count)
            precondition(written > 0, "eleven numbers fit into 256 bytes")
            count = written
        }
    }

    func addressTokenReceived(_ token: UnsafeBufferPointer<UInt8>) {
        // The library's own are 60 bytes long, and nobody's need be longer than what fits into a first packet.
        guard let resumption = self.resumption, token.count <= 512 else { return }
        resumption.store.remember(addressToken: Array(token), of: resumption.server)
    }
}
