import HTTP3
import NIOCore
import QUIC

// Output: how much of it may wait for acknowledgement, and who waits until it has become less.

extension PeerConnection {
    /// Bytes of one stream that may wait for acknowledgement before a writer is suspended, and below which it resumes.
    /// The high one covers 100 Mbit/s over 80 ms.
    static let highWatermark = 1 << 20
    static let lowWatermark = 1 << 19
    /// Bytes of a connection that may wait for acknowledgement before every writer is suspended: a thousand streams of
    /// a client that acknowledges nothing must not cost a thousand times the watermark of one.
    private var maxHeldByStreams: Int { self.endpoint.outputShare }
    /// Of the above, HTTP/3's own streams: a thousand requests for large resources by a client that reads none must not
    /// cost a thousand copies. Beyond that a stream has one small piece at a time under way: answers that a client
    /// leaves unread must not stop those that it waits for.
    private var maxHeldOutput: Int { self.maxHeldByStreams / 2 }
    /// Of the above, what a session may hold although others fill the connection: one whose client does not read must
    /// not stop the rest.
    var heldShareOfSession: Int { self.maxHeldByStreams / max(1, self.sessions.count) }

    var hasRoomForStreams: Bool { self.quic.heldByteCount < self.maxHeldByStreams }

    func addWaitingTunnel(_ id: StreamID) {
        self.waitingTunnels.insert(id.rawValue)
    }

    func addWaitingWriter(_ stream: SendStreamCore) {
        self.waitingWriters.append(stream)
    }

    private var hasWaiting: Bool { !self.waitingWriters.isEmpty || !self.waitingTunnels.isEmpty }

    /// Moves HTTP/3's output into QUIC's streams, once a turn.
    func prepareOutput() {
        guard let http3 = self.http3, self.quic.isOpen else { return }
        do throws(HTTP3Error) {
            let most = self.maxHeldOutput
            var held = self.heldOutput
            self.isOutputFull = held >= most
            while let output = try http3.nextOutput(inSmallPieces: self.isOutputFull) {
                let id = StreamID(rawValue: output.streamID)
                held += output.bytes.readableBytes
                self.outputStreams.insert(id)
                self.quic.write(output.bytes, to: id, finish: output.isFinal)
                self.isOutputFull = held >= most
                if self.quic.unacknowledgedByteCount(of: id) > (self.isOutputFull ? 0 : Self.highWatermark) {
                    http3.block(output.streamID)
                    self.blockedOutput.insert(output.streamID)
                }
            }
        } catch {
            self.fail(error)
        }
    }

    /// Bytes of HTTP/3's streams that wait for acknowledgement, counted only when the connection holds enough to
    /// matter.
    private var heldOutput: Int {
        guard self.quic.heldByteCount >= self.maxHeldOutput else { return 0 }
        return self.outputStreams.reduce(0) { $0 + self.quic.unacknowledgedByteCount(of: $1) }
    }

    /// What is held has become less, by acknowledgements or by the end of a stream.
    func wakeWriters() {
        guard self.hasRoomForStreams, self.hasWaiting else { return }
        let (writers, tunnels) = (self.waitingWriters, self.waitingTunnels)
        self.waitingWriters.removeAll()
        self.waitingTunnels.removeAll()
        for writer in writers { writer.roomReturned() }
        for tunnel in tunnels { self.tunnels[tunnel]?.roomReturned() }
    }

    /// A stream has given up what it held. Its writers' wake-up must not come in the middle of that.
    func roomReturned() {
        guard self.hasWaiting else { return }
        let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
        self.eventLoop.execute { bound.value.wakeWriters() }
    }

    func acknowledged(_ id: StreamID) {
        self.wakeWriters()
        let held = self.quic.unacknowledgedByteCount(of: id)
        // Nothing of the session's stream is left to send or to acknowledge: the close was received.
        if held == 0, self.http3?.queuedByteCount(of: id.rawValue) ?? 0 == 0 {
            self.settling[id.rawValue]?.peerKnowsOfEnd()
        }
        if let stream = self.sendStreams[id] {
            stream.acknowledged(heldByteCount: held)
        } else if self.isOutputFull ? held == 0 : held < Self.lowWatermark,
            self.blockedOutput.remove(id.rawValue) != nil
        {
            self.http3?.unblock(id.rawValue)
        }
        self.tunnels[id.rawValue]?.roomReturned()
    }
}
