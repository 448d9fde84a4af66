import DequeModule
import LoopConcurrency
import NIOCore
import NIOWebSocket

/// One WebSocket on its event loop: frames in, messages out, and the closing handshake.
///
/// Not `Sendable`. Handles reach it through a `NIOLoopBound`, and through its `SendQueue` from other threads.
final class WebSocketConnection: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = Never
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    /// The limits of a connection.
    struct Limits: Sendable {
        var maxMessageSize: Int
        /// After this long without a sign of the peer it is asked for one; after twice as long it is given up. Nil: never.
        var pingInterval: TimeAmount?
        /// How long the peer may take to answer a Close frame and to let the connection end.
        var closeTimeout: TimeAmount
    }

    /// Payloads up to this size are copied behind their header, so that many share one write; larger ones are written
    /// as they are.
    private static let copyLimit = 4_096
    /// Frames are handed to the channel when there is this much, without a flush: the channel counts them, and a sender
    /// that never pauses notices when it is full.
    private static let batchSize = 16 << 10
    /// Pings that await their pong; more are not worth remembering.
    private static let maximumPings = 64

    let eventLoop: any EventLoop
    let messages: Mailbox<WebSocketMessage>
    let gate = ReceiveGate()
    let sendQueue = SendQueue()
    let closeSignal = CloseSignal()

    private let role: WebSocketRole
    private let limits: Limits
    private let encoder: FrameEncoder
    /// Nil when our messages are sent as they are.
    private let deflater: MessageDeflater?
    private var assembler: MessageAssembler
    private var closing = ClosingStateMachine()
    /// Set while the handler is in a pipeline.
    private var context: ChannelHandlerContext?
    /// Frames that the channel has not seen yet.
    private var batch = ByteBuffer()
    private var isFlushScheduled = false
    /// The channel is writing, and may find itself writable on the way.
    private var isFlushing = false
    /// A read that the gate has held back.
    private var owesRead = false
    private var pings: [(payload: UInt64, sent: NIODeadline, promise: EventLoopPromise<TimeAmount>)] = []
    private var nextPing: UInt64 = 0
    private var timer: DeadlineTimer?
    /// The rule that the peer broke. Nothing that comes after it is looked at.
    private var violation: WebSocketViolation?
    /// A ping has gone out because the peer was silent.
    private var isAskingForLife = false

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
        self.assembler = MessageAssembler(
            role: role,
            maximumSize: limits.maxMessageSize,
            inflater: compression?.agreement.makeInflater(role)
        )
        // The gate counts bytes; the mailbox's own watermarks, which count messages, are out of its way.
        self.messages = Mailbox(lowWatermark: .max - 1, highWatermark: .max)
    }

    // MARK: Lifecycle

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.timer = DeadlineTimer(context.eventLoop) { [unowned self] in self.deadlinePassed() }
        if let interval = self.limits.pingInterval { self.timer?.set(interval) }
        self.sendQueue.setWritable(context.channel.isWritable)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.end()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.end()
        context.fireChannelInactive()
    }

    private func end() {
        guard self.context != nil else { return }
        self.context = nil
        self.timer?.cancel()
        self.timer = nil
        self.stopSending()
        self.messages.source.finish()
        for ping in self.pings { ping.promise.fail(WebSocketError.closed) }
        self.pings = []
        if let violation = self.violation { _ = self.closing.peerBrokeRule(violation) }
        self.closeSignal.signal(self.closing.connectionLost())
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case let violation as WebSocketViolation:
            self.fail(violation)
        case ByteToMessageDecoderError.dataReceivedInErrorState:
            // What comes behind a violation. The close is on its way, and its time is limited.
            break
        default:
            // The connection is lost; `channelInactive` tells how the session stood.
            context.close(promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent { self.close(.goingAway, reason: "the server is shutting down") }
        context.fireUserInboundEventTriggered(event)
    }

    // MARK: Receiving

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = self.unwrapInboundIn(data)
        guard self.violation == nil else { return }
        if let interval = self.limits.pingInterval, self.closing.isOpen {
            self.isAskingForLife = false
            self.timer?.set(interval)
        }
        do throws(WebSocketViolation) {
            switch try self.assembler.receive(frame) {
            case .none: break
            case .message(let message): self.deliver(message)
            case .ping(let payload): self.answerPing(payload)
            case .pong(let payload): self.pongArrived(payload)
            case .close(let code, let reason): self.peerClosed(code, reason: reason)
            }
        } catch {
            self.fail(error)
        }
    }

    private func deliver(_ message: WebSocketMessage) {
        guard self.closing.isOpen else { return }
        self.gate.add(ReceiveGate.cost(of: message))
        // The application has stopped listening: reads go on, for control frames, and messages are dropped.
        if self.messages.source.offer(message) == .ended { _ = self.gate.open() }
    }

    func read(context: ChannelHandlerContext) {
        if self.gate.isPaused {
            self.owesRead = true
        } else {
            context.read()
        }
    }

    /// The application has taken most of its messages, or all if that is what we wait for.
    func caughtUp() {
        if let violation = self.violation { self.endAfter(violation) }
        self.resumeReading()
    }

    private func resumeReading() {
        guard self.owesRead else { return }
        self.owesRead = false
        self.context?.read()
    }

    // MARK: Sending

    /// Takes a message on the loop. False when the caller should wait for room before it sends more.
    func send(_ message: WebSocketMessage) throws(WebSocketError) -> Bool {
        // What the same task has sent from another thread comes first.
        self.drainSendQueue()
        guard self.closing.isOpen, let context = self.context else { throw .closed }
        self.write(message)
        return context.channel.isWritable
    }

    /// Sends what other threads have queued.
    func drainSendQueue() {
        for item in self.sendQueue.take() {
            switch item {
            case .message(let message): if self.closing.isOpen && self.context != nil { self.write(message) }
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
        self.context?.write(self.wrapOutboundOut(payload), promise: nil)
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
        self.context?.write(self.wrapOutboundOut(batch), promise: nil)
    }

    private func flush() {
        self.isFlushing = true
        defer { self.isFlushing = false }
        self.handOver()
        self.context?.flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if self.isFlushing && context.channel.isWritable {
            // The kernel has taken all at once. The senders go on when the loop's other connections have had their turn.
            LoopTurn.next(of: self.eventLoop) {
                guard let context = self.context else { return }
                self.sendQueue.setWritable(context.channel.isWritable)
            }
        } else {
            self.sendQueue.setWritable(context.channel.isWritable)
        }
        context.fireChannelWritabilityChanged()
    }

    private func stopSending() {
        for item in self.sendQueue.close() {
            if case .ping(let promise) = item { promise.fail(WebSocketError.closed) }
        }
    }

    // MARK: Pings

    func ping(_ promise: EventLoopPromise<TimeAmount>) {
        guard self.closing.isOpen, self.context != nil, self.pings.count < Self.maximumPings else {
            promise.fail(WebSocketError.closed)
            return
        }
        self.nextPing += 1
        self.pings.append((self.nextPing, self.eventLoop.now, promise))
        self.encoder.write(.ping, ByteBuffer(integer: self.nextPing), into: &self.batch)
        self.batchGrew()
    }

    private func answerPing(_ payload: ByteBuffer) {
        // A peer that pings and does not read makes us queue no more than the channel's watermark (RFC 6455 § 5.5.3
        // lets us answer only the latest).
        guard self.closing.isOpen, self.context?.channel.isWritable == true else { return }
        self.encoder.write(.pong, payload, into: &self.batch)
        self.batchGrew()
    }

    private func pongArrived(_ payload: ByteBuffer) {
        // A pong that answers no ping of ours is a sign of life and nothing else (RFC 6455 § 5.5.3).
        guard payload.readableBytes == 8, let number = payload.getInteger(at: payload.readerIndex, as: UInt64.self),
            let index = self.pings.firstIndex(where: { $0.payload == number })
        else { return }
        // A peer may answer the latest ping only, which then answers those before it.
        let now = self.eventLoop.now
        for ping in self.pings[...index] { ping.promise.succeed(now - ping.sent) }
        self.pings.removeSubrange(...index)
    }

    // MARK: Closing

    /// Sends a Close frame after all messages, and waits for the peer's.
    func close(_ code: WebSocketCloseCode, reason: String) {
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
        // What came before may be answered first, if the application does not take too long.
        self.timer?.set(self.limits.closeTimeout)
        guard self.gate.awaitEmpty() else { return }
        self.eventLoop.assumeIsolated().execute { self.endAfter(violation) }
    }

    private func endAfter(_ violation: WebSocketViolation) {
        guard self.context != nil else { return }
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
        if self.gate.open() { self.resumeReading() }
    }

    /// Ends the connection in an orderly way. The server goes first (RFC 6455 § 7.1.1), and only its own direction: what
    /// the peer still sends must not make the kernel reset the connection and destroy our Close frame.
    private func endConnection() {
        self.timer?.set(self.limits.closeTimeout)
        guard self.role == .server else { return }
        self.context?.close(mode: .output, promise: nil)
    }

    private func deadlinePassed() {
        guard let context = self.context else { return }
        if let violation = self.violation, self.closing.isOpen { return self.endAfter(violation) }
        guard self.closing.isOpen, let interval = self.limits.pingInterval else {
            // The peer does not close: RFC 6455 § 7.1.1 lets us end the connection at any time.
            context.abort()
            return
        }
        // A peer that we do not read from cannot give a sign of life.
        if self.isAskingForLife && !self.gate.isPaused {
            context.abort()
            return
        }
        self.isAskingForLife = true
        self.encoder.write(.ping, ByteBuffer(), into: &self.batch)
        self.flush()
        self.timer?.set(interval)
    }
}
