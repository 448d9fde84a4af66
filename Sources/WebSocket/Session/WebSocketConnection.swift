import DequeModule
import HTTPSemantics
import LoopConcurrency
import NIOCore
import NIOWebSocket

/// One WebSocket on its event loop: bytes of a tunnel in, messages out, and the closing handshake.
///
/// What the tunnel is made of, a connection or a stream, it does not know. Not `Sendable`. Handles reach it through a
/// `NIOLoopBound`, and through its `SendQueue` from other threads.
final class WebSocketConnection: TunnelUser {
    /// Payloads up to this size are copied behind their header, so that many share one write; larger ones are written
    /// as they are.
    private static let copyLimit = 4_096
    /// Frames are handed to the channel when there is this much, without a flush: the channel counts them, and a sender
    /// that never pauses notices when it is full.
    private static let batchSize = 16 << 10

    let eventLoop: any EventLoop
    let messages: Mailbox<WebSocketMessage>
    let gate = ReceiveGate()
    let sendQueue = SendQueue()
    let closeSignal = CloseSignal()

    /// Called once, when the tunnel has closed.
    var onClose: () -> Void = {}
    /// Called before the session ends for what its peer does.
    var onExcess: (WebSocketExcess) -> Void = { _ in }

    private let role: WebSocketRole
    private let limits: Limits
    private let encoder: FrameEncoder
    /// Nil when our messages are sent as they are.
    private let deflater: MessageDeflater?
    private var parser: FrameParser
    /// What has arrived of a frame, and frames that the application does not want yet.
    private var input = ByteBuffer()
    private var assembler: MessageAssembler
    private var idleFrames = IdleFrames()
    private var closing = ClosingStateMachine()
    /// Set from the beginning of the session to the end of the tunnel.
    private var tunnel: (any Tunnel)?
    /// The peer has ended its direction, perhaps behind frames that the application does not want yet.
    private var isPeerFinishing = false
    /// It has, and this is dealt with.
    private var hasPeerFinished = false
    /// The tunnel has ended, and the application is not told yet.
    private var isLost = false
    /// Frames that the tunnel has not seen yet.
    private var batch = ByteBuffer()
    private var isFlushScheduled = false
    /// The tunnel is writing, and may find itself writable on the way.
    private var isFlushing = false
    private var pings = PendingPings()
    private var timer: DeadlineTimer?
    /// The rule that the peer broke. Nothing that comes after it is looked at.
    private var violation: WebSocketViolation?
    /// A ping has gone out because the peer was silent.
    private var isAskingForLife = false
    /// How far the peer had come with what it is sent at the last deadline; nil when nothing waited for it.
    private var progress: Int?

    /// - Parameter compression: what both sides have agreed on, and how to use it.
    init(
        role: WebSocketRole,
        limits: Limits,
        compression: (agreement: PermessageDeflate, policy: WebSocketCompression)?,
        eventLoop: any EventLoop
    ) {
        self.role = role
        self.limits = limits
        self.eventLoop = eventLoop
        self.encoder = FrameEncoder(role: role)
        self.deflater = compression.flatMap { $0.agreement.makeDeflater(role, $0.policy) }
        self.parser = FrameParser(
            maximumSize: MessageAssembler.maximumFrameSize(
                forMessagesOf: limits.maxMessageSize,
                isCompressed: compression != nil
            )
        )
        self.assembler = MessageAssembler(
            role: role,
            maximumSize: limits.maxMessageSize,
            inflater: compression?.agreement.makeInflater(role)
        )
        // The gate counts bytes; the mailbox's own watermarks, which count messages, are out of its way.
        self.messages = Mailbox(lowWatermark: .max - 1, highWatermark: .max)
    }

    // MARK: The tunnel

    func begin(on tunnel: any Tunnel) {
        self.tunnel = tunnel
        self.timer = DeadlineTimer(self.eventLoop) { [unowned self] in self.deadlinePassed() }
        if let interval = self.limits.pingInterval { self.timer?.set(interval) }
        self.sendQueue.setWritable(tunnel.isWritable)
    }

    /// The end of a direction without a Close frame, or behind one. RFC 6455 § 7.1.4 does not know half a WebSocket.
    func peerFinished() {
        self.isPeerFinishing = true
        self.dealWithEnd()
    }

    func closed() {
        self.tunnel = nil
        self.timer?.cancel()
        self.timer = nil
        self.stopSending()
        for ping in self.pings.takeAll() { ping.promise.fail(WebSocketError.closed) }
        let onClose = self.onClose
        self.onClose = {}
        self.onExcess = { _ in }
        onClose()
        self.isLost = true
        self.dealWithEnd()
    }

    /// The application is to be told of an end behind what has come before it.
    private func dealWithEnd() {
        guard !self.isBehind else { return }
        if self.isPeerFinishing { self.endWithPeer() }
        guard self.isLost else { return }
        self.isLost = false
        self.messages.source.finish()
        if let violation = self.violation { _ = self.closing.peerBrokeRule(violation) }
        self.closeSignal.signal(self.closing.connectionLost())
    }

    private func endWithPeer() {
        guard let tunnel = self.tunnel, !self.hasPeerFinished else { return }
        self.hasPeerFinished = true
        self.flush()
        self.stopSending()
        self.messages.source.finish()
        tunnel.finish()
        // What is still on its way to the peer must not keep the tunnel for ever.
        self.timer?.set(self.limits.closeTimeout)
    }

    /// The server shuts down.
    func shutDown() {
        self.close(.goingAway, reason: "the server is shutting down")
    }

    /// Ends without ceremony.
    func abort() {
        self.tunnel?.abort()
    }

    // MARK: Receiving

    func received(_ bytes: ByteBuffer) {
        // Nothing that comes behind a violation is looked at.
        guard self.violation == nil else { return }
        if let interval = self.limits.pingInterval, self.closing.isOpen {
            self.isAskingForLife = false
            // While something waits for the peer, what it sends does not replace what it is to take.
            if self.tunnel?.isWritable == true { self.timer?.set(interval) }
        }
        if self.input.readableBytes == 0 {
            self.input = bytes
        } else {
            self.input.writeImmutableBuffer(bytes)
        }
        self.takeFrames()
    }

    /// Takes as many frames as the application wants messages: a few bytes may hold very many, all the more when they
    /// are compressed. The rest waits, and is no more than a read brought.
    private func takeFrames() {
        do throws(WebSocketViolation) {
            while self.violation == nil, self.wantsBytes, let frame = try self.parser.parse(&self.input) {
                try self.receive(frame)
            }
        } catch {
            self.fail(error)
        }
        // A copy of the few bytes that are left does not hold on to a large read.
        self.input = self.input.readableBytes == 0 ? ByteBuffer() : ByteBuffer(bytes: self.input.readableBytesView)
    }

    /// Whether frames have come that the application does not want yet.
    private var isBehind: Bool {
        self.violation == nil && self.closing.isOpen && !self.wantsBytes && self.input.readableBytes > 0
    }

    private func receive(_ frame: WebSocketFrame) throws(WebSocketViolation) {
        let before = self.assembler.byteCount
        switch try self.assembler.receive(frame) {
        case .none:
            // A compressed fragment may have bytes, and bring none.
            if self.assembler.byteCount == before { try self.idleFrames.spend(at: self.eventLoop.now) }
        case .message(let message):
            self.deliver(message)
        case .ping(let payload):
            try self.idleFrames.spend(at: self.eventLoop.now)
            self.answerPing(payload)
        case .pong(let payload):
            let now = self.eventLoop.now
            let answered = self.pings.takeAnswered(by: payload)
            for ping in answered { ping.promise.succeed(now - ping.sent) }
            if answered.isEmpty { try self.idleFrames.spend(at: now) }
        case .close(let code, let reason): self.peerClosed(code, reason: reason)
        }
    }

    private func deliver(_ message: WebSocketMessage) {
        guard self.closing.isOpen else { return }
        self.gate.add(ReceiveGate.cost(of: message))
        // The application has stopped listening: reads go on, for control frames, and messages are dropped.
        if self.messages.source.offer(message) == .ended { _ = self.gate.open() }
    }

    var wantsBytes: Bool { !self.gate.isPaused }

    /// The application has taken most of its messages, or all if that is what we wait for.
    func caughtUp() {
        if let violation = self.violation { self.endAfter(violation) }
        self.goOn()
    }

    private func goOn() {
        // Of a session that both ends have given up nothing is looked at.
        if self.isLost, !self.closing.isOpen { self.input = ByteBuffer() }
        self.takeFrames()
        self.dealWithEnd()
        if self.wantsBytes { self.tunnel?.resumeReading() }
    }

    // MARK: Sending

    private var isSending: Bool { self.closing.isOpen && self.tunnel != nil && !self.hasPeerFinished }

    /// Takes a message on the loop. False when the caller should wait for room before it sends more.
    func send(_ message: WebSocketMessage) throws(WebSocketError) -> Bool {
        // What the same task has sent from another thread comes first.
        self.drainSendQueue()
        guard self.isSending, let tunnel = self.tunnel else { throw .closed }
        self.write(message)
        return tunnel.isWritable
    }

    /// Sends what other threads have queued.
    func drainSendQueue() {
        for item in self.sendQueue.take() {
            switch item {
            case .message(let message): if self.isSending { self.write(message) }
            case .ping(let promise): self.ping(promise)
            case .close(let code, let reason): self.close(code, reason: reason)
            }
        }
    }

    private func write(_ message: WebSocketMessage) {
        if let deflater = self.deflater, deflater.isWorthwhile(message.byteCount) {
            var payload = ByteBuffer()
            switch message {
            case .text(var text):
                text.withUTF8 { deflater.deflate(UnsafeRawBufferPointer($0), into: &payload) }
                self.write(.text, payload, isCompressed: true)
            case .binary(let bytes):
                bytes.withUnsafeReadableBytes { deflater.deflate($0, into: &payload) }
                self.write(.binary, payload, isCompressed: true)
            }
        } else {
            switch message {
            case .text(let text): self.encoder.write(text: text, into: &self.batch)
            case .binary(let payload): self.write(.binary, payload, isCompressed: false)
            }
        }
        self.batchGrew()
    }

    private func write(_ opcode: WebSocketOpcode, _ payload: ByteBuffer, isCompressed: Bool) {
        let length = payload.readableBytes
        guard length > Self.copyLimit && self.role == .server else {
            return self.encoder.write(opcode, payload, isCompressed: isCompressed, into: &self.batch)
        }
        self.encoder.writeHeader(ofUnmasked: opcode, length: length, isCompressed: isCompressed, into: &self.batch)
        self.handOver()
        self.tunnel?.write(payload)
    }

    private func batchGrew() {
        if self.batch.readableBytes >= Self.batchSize { self.handOver() }
        guard !self.isFlushScheduled else { return }
        self.isFlushScheduled = true
        // After the tasks that are ready now, which may send more.
        self.eventLoop.assumeIsolated().execute {
            self.isFlushScheduled = false
            self.flush()
        }
    }

    private func handOver() {
        guard self.batch.readableBytes > 0 else { return }
        let batch = self.batch
        self.batch = ByteBuffer()
        self.tunnel?.write(batch)
    }

    private func flush() {
        self.isFlushing = true
        defer { self.isFlushing = false }
        self.handOver()
        self.tunnel?.flush()
    }

    func writabilityChanged() {
        guard let tunnel = self.tunnel else { return }
        if self.isFlushing && tunnel.isWritable {
            // The kernel has taken all at once. The senders go on when the loop's other connections have had their
            // turn.
            LoopTurn.next(of: self.eventLoop) {
                guard let tunnel = self.tunnel else { return }
                self.sendQueue.setWritable(tunnel.isWritable)
            }
        } else {
            self.sendQueue.setWritable(tunnel.isWritable)
        }
    }

    private func stopSending() {
        for item in self.sendQueue.close() {
            if case .ping(let promise) = item { promise.fail(WebSocketError.closed) }
        }
    }

    // MARK: Pings

    func ping(_ promise: EventLoopPromise<TimeAmount>) {
        guard self.isSending, let payload = self.pings.add(promise, at: self.eventLoop.now) else {
            return promise.fail(WebSocketError.closed)
        }
        self.encoder.write(.ping, payload, into: &self.batch)
        self.batchGrew()
    }

    private func answerPing(_ payload: ByteBuffer) {
        // A peer that pings and does not read makes us queue no more than the tunnel's watermark (RFC 6455 § 5.5.3
        // lets us answer only the latest).
        guard self.isSending, self.tunnel?.isWritable == true else { return }
        self.encoder.write(.pong, payload, into: &self.batch)
        self.batchGrew()
    }

    // MARK: Closing

    /// Sends a Close frame after all messages, and waits for the peer's.
    func close(_ code: WebSocketCloseCode, reason: String) {
        guard !self.hasPeerFinished else { return }
        switch self.closing.localClose() {
        case .sendClose:
            self.sendLastFrame(code, reason: reason)
            self.timer?.set(self.limits.closeTimeout)
        case .nothing:
            break
        }
    }

    private func peerClosed(_ code: WebSocketCloseCode, reason: String) {
        switch self.closing.peerClosed(code, reason: reason) {
        case .answer:
            // A browser's CloseEvent shows what comes back, so the reason goes back with the code.
            self.sendLastFrame(code, reason: reason)
            self.endConnection()
        case .endConnection:
            self.endConnection()
        case .nothing:
            break
        }
    }

    private func fail(_ violation: WebSocketViolation) {
        guard self.violation == nil else { return }
        self.violation = violation
        if violation == IdleFrames.excess { self.onExcess(.idleFrames) }
        // What came before may be answered first, if the application does not take too long.
        self.timer?.set(self.limits.closeTimeout)
        guard self.gate.awaitEmpty() else { return }
        self.eventLoop.assumeIsolated().execute { self.endAfter(violation) }
    }

    private func endAfter(_ violation: WebSocketViolation) {
        guard self.tunnel != nil, !self.hasPeerFinished else { return }
        switch self.closing.peerBrokeRule(violation) {
        case .sendClose:
            self.sendLastFrame(violation.code, reason: violation.reason)
            self.endConnection()
        case .endConnection:
            self.endConnection()
        case .nothing:
            break
        }
    }

    private func sendLastFrame(_ code: WebSocketCloseCode, reason: String) {
        self.encoder.writeClose(code, reason: reason, into: &self.batch)
        self.flush()
        self.stopSending()
        self.messages.source.finish()
        // The rest of the handshake does not wait for an application that does not read.
        if self.gate.open() { self.goOn() }
    }

    /// Ends the tunnel in an orderly way. The server goes first (RFC 6455 § 7.1.1), and only its own direction: what
    /// the peer still sends must not make the kernel reset the connection and destroy our Close frame.
    private func endConnection() {
        self.timer?.set(self.limits.closeTimeout)
        guard self.role == .server else { return }
        self.tunnel?.finish()
    }

    private func deadlinePassed() {
        guard let tunnel = self.tunnel else { return }
        if let violation = self.violation, self.closing.isOpen { return self.endAfter(violation) }
        guard self.isSending, let interval = self.limits.pingInterval else {
            // The peer does not close: RFC 6455 § 7.1.1 lets us end the connection at any time.
            tunnel.abort()
            return
        }
        let progress = tunnel.isWritable ? nil : tunnel.progress
        if let progress, progress == self.progress {
            self.onExcess(.unread)
            return tunnel.abort()
        }
        self.progress = progress
        // A peer that we do not read from, or that has yet to come to our ping, cannot give a sign of life.
        if self.isAskingForLife, self.wantsBytes, progress == nil { return tunnel.abort() }
        self.isAskingForLife = true
        self.encoder.write(.ping, ByteBuffer(), into: &self.batch)
        self.flush()
        self.timer?.set(interval)
    }
}
