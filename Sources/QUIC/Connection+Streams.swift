import CNgtcp2
import DequeModule
package import NIOCore

extension Connection {
    /// Opens a stream (RFC 9000 § 2.1).
    /// - Throws: `streamLimit` until the peer allows another one; `streamsAvailable` then says when to try again.
    package func openStream(_ direction: StreamDirection) throws(QUICError) -> StreamID {
        guard self.isOpen else { throw QUICError(.closed, "the connection is closed") }
        var id: Int64 = -1
        switch direction {
        case .bidirectional:
            try check(ngtcp2_conn_open_bidi_stream(self.handle, &id, nil), "ngtcp2_conn_open_bidi_stream")
        case .unidirectional:
            try check(ngtcp2_conn_open_uni_stream(self.handle, &id, nil), "ngtcp2_conn_open_uni_stream")
        }
        let stream = StreamID(rawValue: id)
        self.streams[stream] = Stream(id: stream)
        return stream
    }

    /// Queues data, and the end of the stream when `finish` is set. Data after the end or a reset is dropped.
    /// - Parameter prefix: the end is not sent before that many bytes were acknowledged.
    package func write(_ data: ByteBuffer, to id: StreamID, finish: Bool = false, endingAfterPrefix prefix: Int = 0) {
        guard self.isOpen, let stream = self.sendingStream(id) else { return }
        guard case .open = stream.fin, stream.pendingReset == nil else { return }
        stream.buffer.append(data)
        self.heldByteCount += data.readableBytes
        if finish {
            stream.fin = .queued
            stream.finPrefix = UInt64(prefix)
        }
        self.enqueue(stream)
    }

    /// Finds out whether the peer has stopped a stream on which nothing is being written: `stopSending` then says so.
    /// It costs an empty frame (RFC 9000 § 19.8) in the next packet, since the library does not report STOP_SENDING.
    package func probe(_ id: StreamID) {
        guard self.isOpen, let stream = self.streams[id] else { return }
        stream.isProbed = true
        self.enqueue(stream)
    }

    /// Whether the peer is known to have stopped a stream whose close, and with it the code, is still to come. What is
    /// written to it is dropped.
    package func isStopped(_ id: StreamID) -> Bool {
        guard let stream = self.streams[id], case .stopped = stream.fin else { return false }
        return true
    }

    /// Bytes of a stream that are written but not acknowledged.
    package func unacknowledgedByteCount(of id: StreamID) -> Int {
        self.streams[id]?.buffer.heldByteCount ?? 0
    }

    /// Whether some of what was written to a stream has not been in a packet yet.
    package func hasUnsentBytes(of id: StreamID) -> Bool {
        self.streams[id]?.buffer.hasUnsent ?? false
    }

    /// Gives up sending on a stream (RESET_STREAM), but not before its first `prefix` bytes were acknowledged.
    package func reset(_ id: StreamID, code: UInt64, afterPrefix prefix: Int = 0) {
        guard self.isOpen, let stream = self.sendingStream(id) else { return }
        if case .reset = stream.fin { return }
        guard stream.buffer.acknowledgedOffset < UInt64(prefix) else {
            self.resetNow(stream, code: code)
            return
        }
        // The prefix alone still goes out; what follows it need not.
        if stream.buffer.sentOffset >= UInt64(prefix) { self.discardUnsent(of: stream) }
        if case .queued = stream.fin { stream.fin = .open }
        stream.pendingReset = .init(code: code, acknowledgedOffset: UInt64(prefix))
        self.enqueue(stream)
    }

    /// Asks the peer to give up sending (STOP_SENDING); what still arrives is not delivered.
    package func stopSending(_ id: StreamID, code: UInt64) {
        guard self.isOpen else { return }
        if CNgtcp2_closes_peer_unidirectional_streams() == 0, id.direction == .unidirectional,
            self.endedStreams.insert(id).inserted
        {
            // What the peer still says on it may be its end, which does not close it again.
            self.streamClosed(id, code: nil)
        }
        // Not found: the stream has ended, and there is nothing to stop.
        _ = CNgtcp2_conn_shutdown_stream_read(self.handle, id.rawValue, code)
    }

    /// A stream is stopped that was in order so far: what is on its way until the peer learns of it, at most a window,
    /// brings nothing, and is not to be held against the peer.
    package func expectStrayData() {
        self.progress += Int(self.configuration.maxStreamData) / BlackHoleWatch.smallestPacket
    }

    /// Returns flow-control credit for data that the application has taken.
    package func consumed(_ count: Int, of id: StreamID) {
        guard count > 0, self.isOpen else { return }
        // Not found: the stream has ended and needs no more credit; the connection still does.
        _ = ngtcp2_conn_extend_max_stream_offset(self.handle, id.rawValue, UInt64(count))
        ngtcp2_conn_extend_max_offset(self.handle, UInt64(count))
    }

    /// Lets the peer open another stream in place of one that has closed (RFC 9000 § 4.6).
    ///
    /// The owner calls it once for each stream of the peer's, when it has closed *and* the application has taken it: so
    /// a peer cannot open streams faster than they are accepted.
    package func allowAnotherStream(_ direction: StreamDirection) {
        guard self.isOpen else { return }
        switch direction {
        case .bidirectional:
            self.allowedBidirectionalStreams += 1
            ngtcp2_conn_extend_max_streams_bidi(self.handle, 1)
        case .unidirectional: self.allowUnidirectionalStream()
        }
    }

    /// The sending side of a stream; that of a stream which the peer opened is made when first needed. Nil when the
    /// stream has closed.
    private func sendingStream(_ id: StreamID) -> Stream? {
        if let stream = self.streams[id] { return stream }
        guard self.isKnown(id) else { return nil }
        let stream = Stream(id: id)
        self.streams[id] = stream
        return stream
    }

    func resetNow(_ stream: Stream, code: UInt64) {
        stream.fin = .reset
        stream.pendingReset = nil
        self.discardUnsent(of: stream)
        _ = CNgtcp2_conn_shutdown_stream_write(self.handle, stream.id.rawValue, code)
    }

    func discardUnsent(of stream: Stream) {
        self.heldByteCount -= stream.buffer.heldByteCount
        stream.buffer.discardUnsent()
        self.heldByteCount += stream.buffer.heldByteCount
    }

    func enqueue(_ stream: Stream) {
        guard stream.queue == .none, stream.hasSomethingToSend else { return }
        stream.queue = .sending
        self.sendQueue.append(stream)
    }

    /// A closed stream holds nothing while it waits for its turn: without credit that never comes.
    private func close(_ stream: Stream) {
        self.heldByteCount -= stream.buffer.heldByteCount
        self.unacknowledgedByteCount -= stream.buffer.unacknowledgedByteCount
        stream.close()
        switch stream.queue {
        case .none: break
        case .sending: self.sendQueue.streamClosed()
        case .credit: self.creditQueue.streamClosed()
        }
        if stream.isBlocked { self.blockedStreams.streamClosed() }
    }

    func enqueueForSending(_ id: StreamID) {
        self.progress += 1
        if let stream = self.streams[id] { self.enqueue(stream) }
    }

    func acknowledged(_ id: StreamID, upTo offset: UInt64) {
        self.progress += 1
        guard let stream = self.streams[id] else { return }
        let held = stream.buffer.heldByteCount
        stream.buffer.acknowledged(upTo: offset)
        let count = held - stream.buffer.heldByteCount
        // While something is missing, acknowledgements of what is behind it show nothing: they are paid back here.
        self.progress += count / 1024
        self.heldByteCount -= count
        self.unacknowledgedByteCount -= count
        self.newlyAcknowledgedByteCount += count
        self.acknowledgedByteCount += count
        self.events.append(.acknowledged(id))
        if case .queued = stream.fin { self.enqueue(stream) }
        // The reset itself would call the library from its own callback; the next turn does it.
        if let reset = stream.pendingReset, stream.buffer.acknowledgedOffset >= reset.acknowledgedOffset {
            self.dueResets.append(id)
        }
    }

    // MARK: What the callbacks report

    func streamDataReceived(_ id: StreamID, _ bytes: UnsafeRawBufferPointer, isFinal: Bool) {
        self.progress += 1 + bytes.count / 1024
        var data = self.takeLastData(of: id) ?? ByteBuffer()
        data.writeBytes(bytes)
        self.events.append(.streamData(id, data, isFinal: isFinal))
        if isFinal { self.receivingEnded(id) }
    }

    /// Data of one stream that arrives in one batch of packets makes one event: a bulk transfer would otherwise cost a
    /// trip to the application for every packet. A chunk stays below 64 KiB, so that it is not copied as it grows.
    private func takeLastData(of id: StreamID) -> ByteBuffer? {
        guard case .streamData(id, let data, isFinal: false) = self.events.last, data.readableBytes < 1 << 16 else {
            return nil
        }
        self.events.removeLast()
        return data
    }

    func streamReset(_ id: StreamID, code: UInt64, finalSize: UInt64) {
        self.progress += 1
        if self.isStillborn(id) {
            // The library gives its place to another by itself.
            if id.direction == .bidirectional { self.allowedBidirectionalStreams += 1 }
            self.events.append(.streamStillborn(id))
            return
        }
        let isLate = self.endedStreams.contains(id)
        self.events.append(.streamReset(id, code: code, finalSize: finalSize, isLate: isLate))
        self.receivingEnded(id)
    }

    func streamClosed(_ id: StreamID, code: UInt64?) {
        self.progress += 1
        let stream = self.streams.removeValue(forKey: id)
        // Closing it lets go of what it knows.
        let sentByteCount = stream?.buffer.sentOffset ?? 0
        if let stream {
            if let code, stream.isStoppedByPeer { self.events.append(.stopSending(id, code: code)) }
            self.close(stream)
        }
        self.events.append(.streamClosed(id, sentByteCount: sentByteCount))
    }

    func datagramReceived(_ bytes: UnsafeRawBufferPointer) {
        self.progress += 1
        self.events.append(.datagram(ByteBuffer(bytes: bytes)))
    }

    func streamsAvailable(_ direction: StreamDirection) {
        self.progress += 1
        self.events.append(.streamsAvailable(direction))
    }

    /// Stands in for the `stream_close` that the older library generation does not deliver.
    private func receivingEnded(_ id: StreamID) {
        guard CNgtcp2_closes_peer_unidirectional_streams() == 0, id.direction == .unidirectional else { return }
        // Once: it may have been stopped before, and a reset may follow an end.
        guard self.endedStreams.insert(id).inserted else { return }
        self.streamClosed(id, code: nil)
    }

    /// Whether a reset was the first that came of a stream, and the library has therefore made none (0.12): it reports
    /// no close. It is asked from within the library's callback.
    private func isStillborn(_ id: StreamID) -> Bool {
        CNgtcp2_makes_streams_of_resets() == 0 && !self.isKnown(id)
    }

    /// Whether the library has such a stream. It is only looked up: nothing is kept with it.
    private func isKnown(_ id: StreamID) -> Bool {
        ngtcp2_conn_set_stream_user_data(self.handle, id.rawValue, nil) != NGTCP2_ERR_STREAM_NOT_FOUND
    }

    // MARK: Between the library's calls

    /// Flow control holds the stream up. `extend_max_stream_data` queues it again; but that the peer has stopped it
    /// shows only in a further attempt.
    func block(_ stream: Stream) {
        guard !stream.isBlocked else { return }
        stream.isBlocked = true
        self.blockedStreams.append(stream)
    }

    /// Does what callbacks could only note.
    func settleNotes() {
        for id in self.dueResets {
            guard let stream = self.streams[id], let reset = stream.pendingReset else { continue }
            self.resetNow(stream, code: reset.code)
        }
        self.dueResets.removeAll(keepingCapacity: true)
        // A few in each turn, so that a peer that blocks many streams does not make each of its packets expensive.
        for _ in 0..<min(self.blockedStreams.count, 8) {
            guard let stream = self.blockedStreams.popFirst() else { break }
            stream.isBlocked = false
            self.enqueue(stream)
        }
    }

    /// Whether the connection has served so many streams that another should take its place soon.
    package var isWornOut: Bool {
        CNgtcp2_closes_peer_unidirectional_streams() == 0
            && self.endedUnidirectionalCount >= Self.maxLeakedStreams / 8 * 7
    }

    private func allowUnidirectionalStream() {
        self.endedUnidirectionalCount += 1
        if CNgtcp2_closes_peer_unidirectional_streams() == 0 {
            // Each costs the older library memory for as long as the connection lives.
            guard self.endedUnidirectionalCount < Self.maxLeakedStreams else { return }
        }
        ngtcp2_conn_extend_max_streams_uni(self.handle, 1)
    }

    /// About 200 MB of one connection in the worst case.
    private static let maxLeakedStreams = 1 << 19
    /// In bytes.
    static let leakedStreamSize = 400
}
