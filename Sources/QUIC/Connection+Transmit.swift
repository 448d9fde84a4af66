import CNgtcp2
import DequeModule
package import NIOCore

extension Connection {
    /// Bytes that a run may have: the largest UDP payload, and a segmented send takes no more than 64 segments.
    package static let transmitBufferSize = 65_507
    private static let maxSegments = 44
    /// Runs of one connection in one turn, so that a bulk transfer does not hold the loop.
    private static let maxRunsPerTurn = 8
    /// Vectors of stream data in one call. Enough for a packet full of 80-byte messages.
    private static let maxVectors = 16

    /// Writes packets until there is nothing to send, or no permission to.
    ///
    /// - Parameters:
    ///   - buffer: scratch memory of `transmitBufferSize` bytes, that the endpoint's connections share.
    ///   - send: takes one run; the bytes are valid only during the call.
    package func transmit(
        at now: NIODeadline,
        using buffer: UnsafeMutableRawBufferPointer,
        send: (Transmit) -> TransmitOutcome
    ) -> TransmitResult {
        switch self.phase {
        case .closing(var packet, let until):
            guard packet.isDue else { return .idle }
            packet.sent()
            self.phase = .closing(packet, until: until)
            return packet.bytes.withUnsafeBytes { bytes in
                let run = Transmit(path: packet.path, ecn: 0, bytes: bytes, segmentSize: bytes.count)
                return send(run) == .blocked ? .blocked : .idle
            }
        case .draining, .closed:
            return .idle
        case .handshaking, .established:
            self.settleNotes()
            return self.writePackets(at: now, using: buffer, send: send)
        }
    }

    private func writePackets(
        at now: NIODeadline,
        using buffer: UnsafeMutableRawBufferPointer,
        send: (Transmit) -> TransmitOutcome
    ) -> TransmitResult {
        // The library paces with its initial guess of 333 ms until it has measured a round trip (0.12.1), which would
        // delay every handshake. It learns of transmissions only afterwards.
        defer {
            if case .established = self.phase {
                ngtcp2_conn_update_pkt_tx_time(self.handle, now.uptimeNanoseconds)
            }
        }
        let maxPacketSize = ngtcp2_conn_get_max_tx_udp_payload_size(self.handle)
        let quantum = Int(ngtcp2_conn_get_send_quantum(self.handle)) / maxPacketSize
        var run = Run(buffer: buffer, maxSegments: min(max(quantum, 1), Self.maxSegments))
        var runs = 0
        var storage = ngtcp2_path_storage()
        ngtcp2_path_storage_zero(&storage)
        return withUnsafeMutablePointer(to: &storage) { storage in
            while true {
                var info = ngtcp2_pkt_info()
                let room = run.room(for: maxPacketSize)
                let queued = self.datagrams.count
                let written = self.writePacket(into: room, path: &storage.pointee.path, info: &info, at: now)
                guard written >= 0 else {
                    self.fail(libraryCode: Int32(written), at: now)
                    return self.transmit(at: now, using: buffer, send: send)
                }
                guard written > 0 else { return run.flush(send) == .blocked ? .blocked : .idle }
                if self.unacknowledgedByteCount > 0 {
                    self.blackHoleWatch.packetSent(written, hasDatagram: self.datagrams.count < queued, at: now)
                }
                let path = NetworkPath(storage.pointee.path)
                switch run.add(written, path: path, ecn: UInt8(info.ecn), maxPacketSize: maxPacketSize, send: send) {
                case .open:
                    continue
                case .flushed:
                    runs += 1
                    if runs == Self.maxRunsPerTurn { return .wantsAnotherTurn }
                case .blocked:
                    return .blocked
                }
            }
        }
    }

    /// Fills one packet from the datagrams first, then the streams in turn, then whatever the library has to say.
    /// - Returns: its size, zero when nothing may be sent now, or the library's negative code.
    private func writePacket(
        into room: UnsafeMutableBufferPointer<UInt8>,
        path: UnsafeMutablePointer<ngtcp2_path>,
        info: UnsafeMutablePointer<ngtcp2_pkt_info>,
        at now: NIODeadline
    ) -> Int {
        let watch = self.blackHoleWatch
        let datagramRoom = UnsafeMutableBufferPointer(rebasing: room.prefix(watch.datagramLimit ?? room.count))
        let streamRoom = UnsafeMutableBufferPointer(rebasing: room.prefix(watch.limit ?? room.count))
        while true {
            let written: Int
            if let datagram = self.datagrams.first {
                written = self.write(datagram, into: datagramRoom, path: path, info: info, at: now)
            } else if let stream = self.takeStreamToSend() {
                written = self.write(stream, into: streamRoom, path: path, info: info, at: now)
            } else {
                var accepted = -1
                return CNgtcp2_conn_writev_stream(
                    self.handle,
                    path,
                    info,
                    streamRoom.baseAddress,
                    streamRoom.count,
                    &accepted,
                    UInt32(NGTCP2_WRITE_STREAM_FLAG_NONE),
                    -1,
                    nil,
                    0,
                    now.uptimeNanoseconds
                )
            }
            switch Int32(truncatingIfNeeded: written) {
            case NGTCP2_ERR_WRITE_MORE, NGTCP2_ERR_STREAM_DATA_BLOCKED, NGTCP2_ERR_STREAM_SHUT_WR,
                NGTCP2_ERR_STREAM_NOT_FOUND, NGTCP2_ERR_INVALID_ARGUMENT, NGTCP2_ERR_INVALID_STATE:
                // There is room for more, or this one cannot go on: the next source.
                continue
            default:
                return written
            }
        }
    }

    /// The next stream in turn. Without connection credit only ends of streams go out, which need none.
    private func takeStreamToSend() -> Stream? {
        guard ngtcp2_conn_get_max_data_left(self.handle) == 0 else {
            return self.creditQueue.popFirst() ?? self.sendQueue.popFirst()
        }
        while let stream = self.sendQueue.popFirst() {
            guard stream.buffer.hasUnsent else { return stream }
            stream.queue = .credit
            self.creditQueue.append(stream)
        }
        return nil
    }

    private func write(
        _ datagram: DatagramQueue.Entry,
        into room: UnsafeMutableBufferPointer<UInt8>,
        path: UnsafeMutablePointer<ngtcp2_path>,
        info: UnsafeMutablePointer<ngtcp2_pkt_info>,
        at now: NIODeadline
    ) -> Int {
        // The path may have become narrower since it was queued.
        guard datagram.byteCount <= self.maxDatagramSize else {
            self.datagrams.removeFirst()
            return Int(NGTCP2_ERR_INVALID_ARGUMENT)
        }
        return datagram.header.withUnsafeReadableBytes { header in
            datagram.payload.withUnsafeReadableBytes { payload in
                var accepted: Int32 = 0
                // The library does not take empty vectors.
                var vectors = (ngtcp2_vec(header), ngtcp2_vec(payload))
                var count = 2
                if payload.isEmpty { count = 1 }
                if header.isEmpty {
                    vectors.0 = vectors.1
                    count -= 1
                }
                let written = withUnsafeBytes(of: vectors) { vectors in
                    CNgtcp2_conn_writev_datagram(
                        self.handle,
                        path,
                        info,
                        room.baseAddress,
                        room.count,
                        &accepted,
                        UInt32(NGTCP2_WRITE_DATAGRAM_FLAG_MORE),
                        0,
                        vectors.baseAddress!.assumingMemoryBound(to: ngtcp2_vec.self),
                        count,
                        now.uptimeNanoseconds
                    )
                }
                let isRefused = written == Int(NGTCP2_ERR_INVALID_ARGUMENT) || written == Int(NGTCP2_ERR_INVALID_STATE)
                if accepted != 0 || isRefused { self.datagrams.removeFirst() }
                return written
            }
        }
    }

    private func write(
        _ stream: Stream,
        into room: UnsafeMutableBufferPointer<UInt8>,
        path: UnsafeMutablePointer<ngtcp2_path>,
        info: UnsafeMutablePointer<ngtcp2_pkt_info>,
        at now: NIODeadline
    ) -> Int {
        stream.queue = .none
        guard stream.hasSomethingToSend else { return Int(NGTCP2_ERR_STREAM_SHUT_WR) }
        return withUnsafeTemporaryAllocation(of: ngtcp2_vec.self, capacity: Self.maxVectors) { vectors in
            let (count, reachesEnd) = stream.buffer.fill(vectors)
            var flags = UInt32(NGTCP2_WRITE_STREAM_FLAG_MORE)
            var isFinal = false
            if reachesEnd, stream.mayEnd, case .queued = stream.fin {
                flags |= UInt32(NGTCP2_WRITE_STREAM_FLAG_FIN)
                isFinal = true
            }
            // One attempt says what a probe wants to know. It must not keep its place: later generations write no empty
            // frame.
            let isProbe = stream.isProbed && count == 0 && !isFinal
            stream.isProbed = false
            let offered = vectors[..<count].reduce(0) { $0 + $1.len }
            var accepted = -1
            let written = CNgtcp2_conn_writev_stream(
                self.handle,
                path,
                info,
                room.baseAddress,
                room.count,
                &accepted,
                flags,
                stream.id.rawValue,
                vectors.baseAddress,
                count,
                now.uptimeNanoseconds
            )
            if accepted >= 0 {
                stream.buffer.sent(accepted)
                self.unacknowledgedByteCount += accepted
                if isFinal, accepted == offered { stream.fin = .sent }
            }
            switch Int32(truncatingIfNeeded: written) {
            case NGTCP2_ERR_STREAM_DATA_BLOCKED:
                self.block(stream)
            case NGTCP2_ERR_STREAM_SHUT_WR, NGTCP2_ERR_STREAM_NOT_FOUND:
                stream.fin = .stopped
                self.discardUnsent(of: stream)
                // A unidirectional stream closes when the peer has acknowledged the reset that answers it: the code is
                // worth that wait. The other half of a bidirectional one may stay open for ever.
                if stream.id.direction == .bidirectional { self.events.append(.stopSending(stream.id, code: nil)) }
            case 0 where isProbe:
                // Nothing was written, be it for want of permission or of something to say: the next source.
                return Int(NGTCP2_ERR_STREAM_DATA_BLOCKED)
            case 0... where accepted < 0 && !isProbe:
                // The packet was full, or may not be sent yet: the stream keeps its place.
                stream.queue = .sending
                self.sendQueue.prepend(stream)
            default:
                self.enqueue(stream)
            }
            return written
        }
    }
}

extension ngtcp2_vec {
    fileprivate init(_ bytes: UnsafeRawBufferPointer) {
        let start = bytes.baseAddress.map { UnsafeMutableRawPointer(mutating: $0).assumingMemoryBound(to: UInt8.self) }
        self.init(base: start, len: bytes.count)
    }
}

/// The run under construction: packets that one segmented send can carry.
private struct Run {
    let buffer: UnsafeMutableRawBufferPointer
    let maxSegments: Int
    private var path: NetworkPath?
    private var ecn: UInt8 = 0
    private var segmentSize = 0
    private var segments = 0
    private var length = 0

    enum Added {
        case open
        case flushed
        case blocked
    }

    init(buffer: UnsafeMutableRawBufferPointer, maxSegments: Int) {
        self.buffer = buffer
        self.maxSegments = maxSegments
    }

    /// Where the next packet is written.
    func room(for size: Int) -> UnsafeMutableBufferPointer<UInt8> {
        UnsafeMutableBufferPointer(rebasing: self.buffer[self.length...].prefix(size).bindMemory(to: UInt8.self)[...])
    }

    /// Takes the packet that was just written behind the others.
    mutating func add(
        _ size: Int,
        path: NetworkPath,
        ecn: UInt8,
        maxPacketSize: Int,
        send: (Transmit) -> TransmitOutcome
    ) -> Added {
        if let present = self.path, present != path || self.ecn != ecn || size > self.segmentSize {
            // It does not fit the run (a path-MTU probe is larger, a path challenge goes elsewhere): both go out.
            let packet = UnsafeRawBufferPointer(rebasing: self.buffer[self.length...].prefix(size))
            let lone = Transmit(path: path, ecn: ecn, bytes: packet, segmentSize: size)
            guard self.flush(send) == .sent, send(lone) == .sent else { return .blocked }
            return .flushed
        }
        if self.path == nil {
            self.path = path
            self.ecn = ecn
            self.segmentSize = size
        }
        self.length += size
        self.segments += 1
        let isFull = self.segments == self.maxSegments || self.length + maxPacketSize > self.buffer.count
        guard size < self.segmentSize || isFull else { return .open }
        return self.flush(send) == .blocked ? .blocked : .flushed
    }

    mutating func flush(_ send: (Transmit) -> TransmitOutcome) -> TransmitOutcome {
        guard let path = self.path else { return .sent }
        let bytes = UnsafeRawBufferPointer(rebasing: self.buffer.prefix(self.length))
        let run = Transmit(path: path, ecn: self.ecn, bytes: bytes, segmentSize: self.segmentSize)
        self.path = nil
        self.length = 0
        self.segments = 0
        return send(run)
    }
}
