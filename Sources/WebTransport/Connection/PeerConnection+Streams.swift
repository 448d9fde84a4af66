import HTTP3
import Logging
import NIOCore
import QUIC
import WebTransportCore

// Streams: whose they are, and where their bytes go.

extension PeerConnection {
    func receive(_ bytes: ByteBuffer, on id: StreamID, isFinal: Bool) throws(HTTP3Error) {
        guard id.isPeerInitiated(isServer: self.quic.isServer) else {
            // The peer's half of a bidirectional stream that this end opened.
            if let stream = self.sendStreams[id]?.counterpart {
                stream.received(bytes, isFinal: isFinal)
            } else {
                try self.receiveHTTP3(bytes, on: id, isFinal: isFinal)
            }
            return
        }
        let stream = self.incoming[id] ?? self.beginIncoming(id)
        switch stream.kind {
        case .typing:
            try self.type(stream, bytes, on: id, isFinal: isFinal)
        case .http3:
            try self.receiveHTTP3(bytes, on: id, isFinal: isFinal)
        case .control:
            try self.receiveControl(bytes, on: id, isFinal: isFinal)
        case .compression:
            try self.receiveCompression(bytes, on: id, isFinal: isFinal)
        case .webTransport(let core):
            core.received(bytes, isFinal: isFinal)
        case .discarded:
            self.quic.consumed(bytes.readableBytes, of: id)
        }
    }

    /// Something has come on a stream for the first time: it may be a request.
    private func beginIncoming(_ id: StreamID) -> IncomingStream {
        if id.direction == .bidirectional { self.requestBegan(id) }
        return self.addIncoming(id)
    }

    private func addIncoming(_ id: StreamID) -> IncomingStream {
        let stream = IncomingStream(isUnidirectional: id.direction == .unidirectional)
        self.incoming[id] = stream
        return stream
    }

    private func type(
        _ stream: IncomingStream,
        _ bytes: ByteBuffer,
        on id: StreamID,
        isFinal: Bool
    ) throws(HTTP3Error) {
        switch stream.type(bytes, isFinal: isFinal) {
        case .undecided:
            return
        case .webTransport(let sessionID, let headerSize, let rest):
            self.quic.consumed(headerSize, of: id)
            try self.webTransportStream(
                stream,
                ReceiveStreamCore(id: id, connection: self, headerSize: headerSize),
                of: sessionID,
                rest: rest,
                isFinal: isFinal
            )
        case .http3(let replay, nil) where id.direction == .unidirectional:
            // RFC 9114 § 6.2: a stream that ends before its type is to be tolerated.
            stream.isTaken = true
            stream.kind = .discarded
            self.quic.consumed(replay.readableBytes, of: id)
            try self.spend(.strayStreams)
        case .http3(let replay, let type?) where id.direction == .unidirectional:
            stream.isTaken = true
            try self.unidirectionalStream(stream, of: type, replay, on: id, isFinal: isFinal)
        case .http3(let replay, _):
            stream.isTaken = true
            stream.kind = .http3
            try self.receiveHTTP3(replay, on: id, isFinal: isFinal)
        }
    }

    private func unidirectionalStream(
        _ stream: IncomingStream,
        of type: UInt64,
        _ replay: ByteBuffer,
        on id: StreamID,
        isFinal: Bool
    ) throws(HTTP3Error) {
        switch type {
        case StreamTyping.controlType:
            stream.kind = .control
            try self.receiveControl(replay, on: id, isFinal: isFinal)
        case StreamTyping.compressionTypes:
            stream.kind = .compression
            try self.receiveCompression(replay, on: id, isFinal: isFinal)
        default:
            stream.kind = .http3
            // RFC 9114 § 6.2.3: nobody knows it, and it is to be put up with.
            if type != StreamTyping.pushType { try self.spend(.strayStreams) }
            try self.receiveHTTP3(replay, on: id, isFinal: isFinal)
        }
    }

    // MARK: WebTransport

    private func webTransportStream(
        _ stream: IncomingStream,
        _ core: ReceiveStreamCore,
        of sessionID: Int64,
        rest: ByteBuffer,
        isFinal: Bool
    ) throws(HTTP3Error) {
        guard sessionID % 4 == 0 else {
            // draft-ietf-webtrans-http3 § 4: a session ID is that of a client-initiated bidirectional stream.
            throw HTTP3Error(.idError, "a stream names session \(sessionID), which cannot be one")
        }
        stream.kind = .webTransport(core)
        self.requestDeadlines.requestEnded(core.id)
        if let session = self.sessions[sessionID], session.isEstablished {
            self.hasCarriedTraffic = true
            self.endpoint.counts.streamsOpenedByPeers += 1
            session.streamArrived(core)
        } else if self.endedSessions.contains(sessionID) {
            self.endpoint.counts.streamsRejectedLate += 1
            try self.spend(.strayStreams)
            self.reject(core, code: WebTransportErrorCode.sessionGone)
        } else if !self.early.hold(core, for: sessionID) {
            // What is held waits with its data, bounded by QUIC's flow control: no credit is returned meanwhile.
            self.endpoint.counts.streamsRejectedEarly += 1
            try self.spend(.strayStreams)
            self.reject(core, code: WebTransportErrorCode.bufferedStreamRejected)
            if self.missedArrivals.count < Self.maxMissedArrivals { self.missedArrivals.append(core.id.direction) }
        }
        core.received(rest, isFinal: isFinal)
    }

    /// A session has begun: what came early for it.
    func deliverEarlyArrivals(to session: SessionCore) {
        let held = self.early.take(session.id)
        for core in held.streams where self.incoming[core.id] != nil { session.streamArrived(core) }
        for datagram in held.datagrams { session.datagrams.offer(datagram) }
        session.flow?.arrivalsMayHaveBeenMissed(self.missedArrivals)
        self.missedArrivals.removeAll()
    }

    /// A request for a session was refused, or was none: what came early for it, and what is still to come.
    func refuseSession(_ sessionID: Int64) {
        self.remember(endedSession: sessionID)
        self.rejectEarlyArrivals(of: sessionID)
    }

    /// There is no session of that ID, and will be none.
    func rejectEarlyArrivals(of sessionID: Int64) {
        for core in self.early.take(sessionID).streams { self.reject(core, code: WebTransportErrorCode.sessionGone) }
    }

    func reject(_ id: StreamID, code: UInt64) {
        guard self.incoming[id]?.isClosed != true else { return self.taken(id) }
        self.stopReceiving(id, code: code)
        if id.direction == .bidirectional { self.quic.reset(id, code: code) }
        self.taken(id)
    }

    /// The session of a stream has ended. When the peer opened it and the application has never taken it, nobody else
    /// ends this end's half, and the stream would never close.
    func resetUntakenHalf(of id: StreamID) {
        guard id.direction == .bidirectional, let stream = self.incoming[id], !stream.isClosed else { return }
        guard self.sendStreams[id] == nil else { return }
        self.quic.reset(id, code: WebTransportErrorCode.sessionGone)
    }

    /// The application is done with what the peer sends on the stream, or will never see it.
    func taken(_ id: StreamID) {
        guard let stream = self.incoming[id], !stream.isTaken else { return }
        stream.isTaken = true
        if stream.isClosed { self.forget(id) }
    }

    func receiveDatagram(_ frame: ByteBuffer) throws(HTTP3Error) {
        let datagram = try HTTPDatagram(frame)
        // RFC 9297 § 2.1: the stream cannot be there.
        if self.quic.isServer, UInt64(datagram.streamID) / 4 >= self.quic.allowedBidirectionalStreams {
            throw HTTP3Error(.idError, "a datagram names stream \(datagram.streamID), which the client may not open")
        }
        if let session = self.sessions[datagram.streamID], session.isEstablished {
            self.hasCarriedTraffic = true
            if session.datagrams.offer(datagram.payload) { self.endpoint.counts.datagramsDroppedInbound += 1 }
        } else if self.endedSessions.contains(datagram.streamID) {
            self.endpoint.counts.datagramsDroppedInbound += 1
        } else if self.early.hold(datagram.payload, for: datagram.streamID) {
            self.endpoint.counts.datagramsDroppedInbound += 1
        }
    }

    // MARK: HTTP/3

    private func receiveControl(_ bytes: ByteBuffer, on id: StreamID, isFinal: Bool) throws(HTTP3Error) {
        if self.negotiated == nil {
            var frames = bytes
            // The stream type is not part of the frames. It is zero, in as many bytes as the peer likes.
            if !self.hasSeenControlType {
                _ = frames.readEncodedInteger(as: UInt64.self, strategy: .quic)
                self.hasSeenControlType = true
            }
            if let settings = try self.settingsReader.process(frames) {
                try self.compareAndRemember(settings)
                try self.receiveHTTP3(bytes, on: id, isFinal: isFinal)
                try self.received(
                    SettingValues(
                        Dictionary(uniqueKeysWithValues: settings.map { ($0.identifier.rawValue, $0.value) })
                    )
                )
                return
            }
        }
        try self.receiveHTTP3(bytes, on: id, isFinal: isFinal)
    }

    private func receiveCompression(_ bytes: ByteBuffer, on id: StreamID, isFinal: Bool) throws(HTTP3Error) {
        try self.spend(.compression, bytes.readableBytes)
        try self.receiveHTTP3(bytes, on: id, isFinal: isFinal)
    }

    private func receiveHTTP3(_ bytes: ByteBuffer, on id: StreamID, isFinal: Bool) throws(HTTP3Error) {
        guard let http3 = self.http3 else { return }
        try http3.receive(bytes, on: id.rawValue, isFinal: isFinal)
        try self.spend(.emptyFrames, http3.takeEmptyFrameCount())
        while let event = http3.nextEvent() { try self.dispatch(event) }
        self.returnCredits(of: http3)
    }

    private func returnCredits(of http3: HTTP3Connection) {
        while let credit = http3.nextCredit() {
            self.quic.consumed(credit.count, of: StreamID(rawValue: credit.streamID))
        }
    }

    /// HTTP/3 learns that a stream has closed, though it may be none of its own: a PRIORITY_UPDATE may have named it.
    private func closeHTTP3Stream(_ id: StreamID) throws(HTTP3Error) {
        guard let http3 = self.http3 else { return }
        try http3.streamClosed(id.rawValue, code: .h3NoError)
        self.returnCredits(of: http3)
    }

    // MARK: Ends

    /// The peer has given up a stream of its own, be it one half or the other.
    func abandoned(_ id: StreamID) throws(HTTP3Error) {
        guard let stream = self.incoming[id], !stream.isAbandoned else { return }
        stream.isAbandoned = true
        // RFC 9000 § 3.5: who is told to stop resets the stream in answer.
        guard !stream.isStoppedHere else { return }
        try self.spend(.abandonedStreams)
    }

    /// Asks the peer to give up sending on a stream of a session, which is then not held against it. Requests are: one
    /// that is refused and reset at once costs as much as any other.
    func stopReceiving(_ id: StreamID, code: UInt64) {
        self.incoming[id]?.isStoppedHere = true
        self.quic.stopSending(id, code: code)
    }

    /// A stream of which nothing has come, nor will come, but its reset.
    func streamStillborn(_ id: StreamID) throws(HTTP3Error) {
        try self.spend(.abandonedStreams)
        self.streamWentUnknown(id)
        try self.closeHTTP3Stream(id)
        if self.quic.isServer { self.http3?.allowRequests(self.quic.allowedBidirectionalStreams) }
    }

    func streamReset(_ id: StreamID, code: UInt64, finalSize: UInt64, isLate: Bool) throws(HTTP3Error) {
        if id.isPeerInitiated(isServer: self.quic.isServer) {
            if self.incoming[id] == nil, !isLate { self.discard(id) }
            try self.abandoned(id)
        }
        if let core = self.receivingHalf(of: id) {
            core.reset(code: ApplicationErrorCode.applicationCode(for: code), finalSize: finalSize)
        } else {
            self.requestDeadlines.requestEnded(id)
            self.http3?.stopReading(id.rawValue)
            let isInUse = self.sessions[id.rawValue] != nil || self.tunnels[id.rawValue] != nil
            self.tunnels[id.rawValue]?.abort()
            if case .fetching(let fetch) = self.role { fetch.reset(id.rawValue, code: code) }
            self.requestReset(id.rawValue, code: code)
            if !isInUse, id.direction == .bidirectional, self.incoming[id]?.isAnswered == false {
                // RFC 9114 § 4.1.1: a request that is given up before it is complete, or has begun, is not answered.
                // Without this the stream would never close.
                self.http3?.stopWriting(id.rawValue)
                self.quic.reset(id, code: HTTP3ErrorCode.requestCancelled.rawValue)
            }
        }
    }

    private func receivingHalf(of id: StreamID) -> ReceiveStreamCore? {
        if let core = self.sendStreams[id]?.counterpart { return core }
        if case .webTransport(let core) = self.incoming[id]?.kind { return core }
        // A stream that was stopped may be gone before its reset arrives.
        return self.sessions.values.lazy.compactMap { $0.flow?.stopped[id] }.first
    }

    /// A stream of which nothing has arrived but its end: it takes a place all the same.
    private func discard(_ id: StreamID) {
        let stream = self.addIncoming(id)
        stream.kind = .discarded
        stream.isTaken = true
        self.streamWentUnknown(id)
    }

    func streamClosed(_ id: StreamID, sentByteCount: UInt64) throws(HTTP3Error) {
        if let stream = self.sendStreams.removeValue(forKey: id) { stream.closed(sentByteCount: sentByteCount) }
        if let stream = self.incoming[id] {
            stream.isClosed = true
            switch stream.kind {
            case .http3, .control, .compression:
                break
            case .webTransport(let core):
                core.closed()
            case .typing:
                self.streamWentUnknown(id)
                self.quic.consumed(stream.bufferedByteCount, of: id)
                stream.isTaken = true
            case .discarded:
                break
            }
            try self.closeHTTP3Stream(id)
            if stream.isTaken { self.forget(id) }
        } else if !id.isPeerInitiated(isServer: self.quic.isServer) {
            try self.closeHTTP3Stream(id)
        }
        self.requestDeadlines.requestEnded(id)
        self.outputStreams.remove(id)
        self.blockedOutput.remove(id.rawValue)
        self.forgetHeldRequest(id.rawValue)
        self.wakeWriters()
        self.sessions[id.rawValue]?.requestStreamClosed()
        self.tunnels[id.rawValue]?.closed()
        // It had no other purpose.
        if case .tunnelling = self.role, id.direction == .bidirectional { self.close() }
        // Behind its end this means nothing any more.
        if case .fetching(let fetch) = self.role {
            fetch.reset(id.rawValue, code: HTTP3ErrorCode.messageError.rawValue)
        }
        // What its stream was, if no session: it begins none any more.
        self.rejectEarlyArrivals(of: id.rawValue)
        self.settle(id.rawValue)
        self.noteSettled()
    }

    private func streamWentUnknown(_ id: StreamID) {
        for session in self.sessions.values { session.flow?.streamMayHaveBeenMissed(id.direction) }
    }

    private func forget(_ id: StreamID) {
        if case .webTransport(let core) = self.incoming.removeValue(forKey: id)?.kind {
            core.flow?.streamSettled(id.direction)
        }
        self.quic.allowAnotherStream(id.direction)
        if self.quic.isServer { self.http3?.allowRequests(self.quic.allowedBidirectionalStreams) }
        if self.quic.isWornOut, !self.isDraining {
            self.logger.debug("connection is worn out: its sessions are asked to finish")
            self.drain()
        }
        self.markDirty()
    }

    // MARK: Streams of our own

    /// Opens a stream of a session and queues its header.
    /// - Throws: `QUICError` with `streamLimit` until the peer allows another one.
    func openStream(_ direction: StreamDirection, of session: SessionCore) throws(QUICError) -> SendStreamCore {
        let id = try self.quic.openStream(direction)
        let header = StreamTyping.header(sessionID: session.id, isUnidirectional: direction == .unidirectional)
        let core = SendStreamCore(id: id, connection: self, headerSize: header.readableBytes, flow: session.flow)
        self.sendStreams[id] = core
        self.endpoint.counts.streamsOpenedHere += 1
        self.quic.write(header, to: id)
        self.markDirty()
        return core
    }

    /// The sending half of a bidirectional stream that the peer opened.
    func replyStream(to id: StreamID, of session: SessionCore) -> SendStreamCore {
        let core = SendStreamCore(id: id, connection: self, headerSize: 0, flow: session.flow)
        if let stream = self.incoming[id], !stream.isClosed {
            self.sendStreams[id] = core
        } else {
            // The peer has given up both halves before anybody took the stream; no event will mention it again.
            core.closed()
        }
        return core
    }
}
