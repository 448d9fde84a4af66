package import NIOCore

/// Triggered as an outbound user event by whoever has waited long enough: the next close waits for nothing.
package struct ConnectionAbort: Sendable {
    package init() {}
}

/// TLS 1.3 and 1.2 between a TCP channel and the handlers behind it.
///
/// *Reading.* What a read of the channel brought is decrypted and passed on at once, as one buffer; only an incomplete
/// record is kept. So a handler that stops asking for reads stops the peer, as without TLS.
///
/// *Writing.* Small writes are gathered into records of up to 16 KiB until the flush; beyond that they go down
/// encrypted at once, so that the channel's writability means what it says. A promise is fulfilled when its last byte
/// has been written to the socket. Writes before the end of the handshake wait for it, up to `maximumBeforeHandshake`.
///
/// *Closing.* `close(mode: .all)` sends what was written, then close_notify, and closes the channel when that has left,
/// or after `closeTimeout`; it does not wait for the peer's close_notify, which RFC 8446 § 6.1 allows.
/// `close(mode: .output)` sends close_notify and leaves the socket open: TLS' half closure without TCP's, which many
/// peers take for the end. When the peer's close_notify arrives, what came before it is dealt with, then
/// `ChannelEvent.inputClosed` is fired and the channel is closed, with ours. `close(mode: .input)` is refused, as by
/// any channel that cannot discard.
///
/// An outbound `ConnectionAbort` before `close(mode: .all)` makes it immediate.
///
/// *Failure.* Any failure fires one error and closes the channel: `TLSError`, or `CredentialsError` when a client does
/// not accept the certificate. A connection that ends without close_notify is `TLSError.Code.truncated`.
package final class TLSHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    /// More than a client has to say before it knows the server; a bound against a handler that does not wait.
    static let maximumBeforeHandshake = 1 << 20
    /// What a client may say before anything is known of it, and a read more. The largest hellos, with shares of several
    /// groups and a ticket, have a few thousand bytes; GnuTLS would wait for 128 KiB.
    static let maximumClientHandshake = 32 << 10
    /// A server's chain of certificates may be long.
    static let maximumServerHandshake = 256 << 10
    /// How long a peer that does not read may hold up the closing of a channel.
    static let closeTimeout = TimeAmount.seconds(5)

    private enum State {
        /// The channel is not active yet.
        case idle
        case handshaking(timeout: Scheduled<Void>)
        case open
        /// We have sent close_notify; the peer has not.
        case outputClosed
        /// close_notify is on its way, and the channel closes after it.
        case closing(timeout: Scheduled<Void>, EventLoopPromise<Void>)
        case closed
    }

    private var state = State.idle
    private let session: TLSSession
    private let handshakeTimeout: TimeAmount
    private let maximumHandshake: Int
    private var handshakeByteCount = 0

    /// Plaintext that waits for the handshake, a flush, or a full record.
    private var unsent = ByteBuffer()
    private var unsentPromises: [EventLoopPromise<Void>] = []
    /// A handler asked for a read, and nothing has been passed on since.
    private var owesRead = false
    /// The peer's close_notify has come.
    private var hasPeerFinished = false
    /// Bytes have come, and `channelReadComplete` has not.
    private var isReading = false
    /// The channel is to be closed when it has.
    private var closeAfterRead: EventLoopPromise<Void>?

    package init(server configuration: TLSServerConfiguration) throws {
        self.session = try TLSSession(configuration)
        self.maximumHandshake = Self.maximumClientHandshake
        self.handshakeTimeout = configuration.handshakeTimeout
    }

    package init(client configuration: TLSClientConfiguration) throws {
        self.session = try TLSSession(configuration)
        self.maximumHandshake = Self.maximumServerHandshake
        self.handshakeTimeout = configuration.handshakeTimeout
    }

    // MARK: Lifecycle

    package func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { self.begin(context) }
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        self.closeAfterRead.take()?.fail(ChannelError.ioOnClosedChannel)
        self.end(context, failing: ChannelError.ioOnClosedChannel)
    }

    package func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        if case .idle = self.state { self.begin(context) }
    }

    package func channelInactive(context: ChannelHandlerContext) {
        switch self.state {
        case .handshaking:
            context.fireErrorCaught(
                TLSError(code: .handshakeFailed, message: "the peer closed the connection during the TLS handshake")
            )
        case .open, .outputClosed:
            context.fireErrorCaught(
                TLSError(code: .truncated, message: "the peer closed the connection without ending TLS")
            )
        case .idle, .closing, .closed:
            break
        }
        self.closeAfterRead.take()?.succeed()
        self.end(context, failing: ChannelError.ioOnClosedChannel)
        // A reset behind other bytes ends NIO's read without this.
        if self.isReading {
            self.isReading = false
            context.fireChannelReadComplete()
        }
        context.fireChannelInactive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        let timeout = context.eventLoop.assumeIsolated().scheduleTask(in: self.handshakeTimeout) {
            guard case .handshaking = self.state else { return }
            let message = "the peer did not finish the TLS handshake within \(self.handshakeTimeout)"
            self.fail(context, TLSError(code: .handshakeTimedOut, message: message))
        }
        self.state = .handshaking(timeout: timeout)
        self.continueHandshake(context)
        if case .handshaking = self.state { context.read() }
    }

    /// The end of this handler's work: timers stop, and what cannot be sent any more fails.
    private func end(_ context: ChannelHandlerContext, failing error: any Error) {
        let state = self.state
        self.state = .closed
        let promises = self.unsentPromises
        self.unsentPromises = []
        self.unsent.clear()
        for promise in promises { promise.fail(error) }
        switch state {
        case .handshaking(let timeout):
            timeout.cancel()
        case .closing(let timeout, let promise):
            timeout.cancel()
            promise.succeed()
        case .idle, .open, .outputClosed, .closed:
            break
        }
    }

    private func fail(_ context: ChannelHandlerContext, _ error: any Error) {
        // The alert goes out if the socket takes it at once; there is no reason to wait for a peer that failed.
        if let alert = self.session.takeOutput() { context.writeAndFlush(self.wrapOutboundOut(alert), promise: nil) }
        self.end(context, failing: error)
        context.fireErrorCaught(error)
        self.closeChannel(context, promise: nil)
    }

    /// Closes the channel, but not in the middle of a read: handlers must get to the end of what they were given
    /// (`channelReadComplete`), as when it is the socket that ends. NIOHTTP2 keeps a connection in memory for ever that
    /// ends before.
    private func closeChannel(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        guard self.isReading else { return context.close(promise: promise) }
        if let first = self.closeAfterRead {
            first.futureResult.cascade(to: promise)
        } else {
            self.closeAfterRead = promise ?? context.eventLoop.makePromise()
        }
    }

    // MARK: Reading

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.isReading = true
        // Behind its end a peer has nothing to say.
        guard !self.hasPeerFinished else { return }
        switch self.state {
        case .handshaking:
            let bytes = self.unwrapInboundIn(data)
            self.handshakeByteCount += bytes.readableBytes
            self.session.receive(bytes)
            self.continueHandshake(context)
            guard case .handshaking = self.state, self.handshakeByteCount > self.maximumHandshake else { return }
            let message = "the peer's handshake has more than \(self.maximumHandshake) bytes"
            self.fail(context, TLSError(code: .handshakeFailed, message: message))
        case .open, .outputClosed:
            self.session.receive(self.unwrapInboundIn(data))
            self.decrypt(context)
        // What arrives after we have said that the connection ends is not for anyone, and not kept.
        case .idle, .closing, .closed: break
        }
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        self.isReading = false
        if let promise = self.closeAfterRead.take() { return context.close(promise: promise) }
        switch self.state {
        case .handshaking:
            context.read()
        case .open where self.hasPeerFinished, .outputClosed where self.hasPeerFinished:
            // Handlers that answer at the end of a read have done so.
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
            self.close(context, promise: nil)
        case .open, .outputClosed:
            // Records that held nothing for the handlers behind us have used up the read they asked for.
            if self.owesRead { context.read() }
        case .idle, .closing, .closed: break
        }
    }

    package func read(context: ChannelHandlerContext) {
        self.owesRead = true
        context.read()
    }

    private func continueHandshake(_ context: ChannelHandlerContext) {
        do {
            let progress = try self.session.handshake()
            self.sendOutput(context)
            guard progress == .complete else { return }
        } catch {
            return self.fail(context, error)
        }
        guard case .handshaking(let timeout) = self.state else { return }
        timeout.cancel()
        self.state = .open
        context.fireUserInboundEventTriggered(self.session.summary)
        self.encryptUnsent(context)
        context.flush()
        // The peer's first records may have come with its last handshake message.
        switch self.state {
        case .open, .outputClosed: self.decrypt(context)
        case .idle, .handshaking, .closing, .closed: break
        }
    }

    private func decrypt(_ context: ChannelHandlerContext) {
        var plaintext = ByteBuffer()
        let result: Result<TLSSession.ReadResult, TLSError>
        do throws(TLSError) {
            result = .success(try self.session.read(into: &plaintext))
        } catch {
            result = .failure(error)
        }
        // A key update may have been answered.
        if case .success = result { self.sendOutput(context) }
        if plaintext.readableBytes > 0 {
            self.owesRead = false
            context.fireChannelRead(self.wrapInboundOut(plaintext))
        }
        switch (result, self.state) {
        case (_, .closing), (_, .closed), (_, .idle), (_, .handshaking), (.success(.incomplete), _):
            break
        case (.failure(let error), _):
            self.fail(context, error)
        case (.success(.closed), .open), (.success(.closed), .outputClosed):
            self.hasPeerFinished = true
        }
    }

    // MARK: Writing

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let plaintext = self.unwrapOutboundIn(data)
        switch self.state {
        case .idle, .handshaking:
            guard self.unsent.readableBytes + plaintext.readableBytes <= Self.maximumBeforeHandshake else {
                let message = "more than \(Self.maximumBeforeHandshake) bytes were written before the TLS handshake"
                promise?.fail(TLSError(code: .tooMuchBeforeHandshake, message: message))
                return
            }
            self.append(plaintext, promise)
        case .open:
            if self.unsent.readableBytes == 0 && plaintext.readableBytes >= TLSSession.maximumRecordSize {
                return self.encrypt(context, plaintext, promise)
            }
            self.append(plaintext, promise)
            if self.unsent.readableBytes >= TLSSession.maximumRecordSize { self.encryptUnsent(context) }
        case .outputClosed:
            promise?.fail(ChannelError.outputClosed)
        case .closing, .closed:
            promise?.fail(ChannelError.ioOnClosedChannel)
        }
    }

    package func flush(context: ChannelHandlerContext) {
        switch self.state {
        case .open: self.encryptUnsent(context)
        // Unsent plaintext goes out with the end of the handshake, flushed or not.
        case .idle, .handshaking, .outputClosed, .closing, .closed: break
        }
        context.flush()
    }

    private func append(_ plaintext: ByteBuffer, _ promise: EventLoopPromise<Void>?) {
        if self.unsent.readableBytes == 0 {
            self.unsent = plaintext
        } else {
            self.unsent.writeImmutableBuffer(plaintext)
        }
        if let promise { self.unsentPromises.append(promise) }
    }

    private func encryptUnsent(_ context: ChannelHandlerContext) {
        guard self.unsent.readableBytes > 0 || !self.unsentPromises.isEmpty else { return }
        let plaintext = self.unsent
        let promises = self.unsentPromises
        self.unsent = ByteBuffer()
        self.unsentPromises.removeAll(keepingCapacity: true)
        let promise = promises.first
        for other in promises.dropFirst() { promise?.futureResult.cascade(to: other) }
        self.encrypt(context, plaintext, promise)
    }

    /// Encrypts and writes, without a flush.
    private func encrypt(_ context: ChannelHandlerContext, _ plaintext: ByteBuffer, _ promise: EventLoopPromise<Void>?)
    {
        do {
            try self.session.write(plaintext)
        } catch {
            promise?.fail(error)
            return self.fail(context, error)
        }
        // Empty only when the plaintext was; the promise still waits for its turn.
        context.write(self.wrapOutboundOut(self.session.takeOutput() ?? ByteBuffer()), promise: promise)
    }

    private func sendOutput(_ context: ChannelHandlerContext) {
        if let output = self.session.takeOutput() {
            context.writeAndFlush(self.wrapOutboundOut(output), promise: nil)
        }
    }

    // MARK: Closing

    package func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch mode {
        case .all: self.close(context, promise: promise)
        case .output: self.closeOutput(context, promise: promise)
        case .input: promise?.fail(ChannelError.operationUnsupported)
        }
    }

    package func triggerUserOutboundEvent(
        context: ChannelHandlerContext,
        event: Any,
        promise: EventLoopPromise<Void>?
    ) {
        guard event is ConnectionAbort else {
            context.triggerUserOutboundEvent(event, promise: promise)
            return
        }
        self.end(context, failing: ChannelError.ioOnClosedChannel)
        promise?.succeed()
    }

    private func closeOutput(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        switch self.state {
        case .open:
            self.state = .outputClosed
            self.writeCloseNotify(context, promise: promise)
        case .idle, .handshaking:
            promise?.fail(ChannelError.operationUnsupported)
        case .outputClosed:
            promise?.fail(ChannelError.outputClosed)
        case .closing, .closed:
            promise?.fail(ChannelError.alreadyClosed)
        }
    }

    private func close(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        let written: EventLoopFuture<Void>
        switch self.state {
        case .open:
            let notified = context.eventLoop.makePromise(of: Void.self)
            written = notified.futureResult
            self.state = self.makeClosing(context, promise)
            self.writeCloseNotify(context, promise: notified)
        case .outputClosed:
            // An empty write completes after all that was written before it.
            written = context.writeAndFlush(self.wrapOutboundOut(ByteBuffer()))
            self.state = self.makeClosing(context, promise)
        case .closing(_, let closed):
            closed.futureResult.cascade(to: promise)
            return
        case .idle, .handshaking, .closed:
            self.end(context, failing: ChannelError.ioOnClosedChannel)
            self.closeChannel(context, promise: promise)
            return
        }
        written.assumeIsolated().whenComplete { _ in
            guard case .closing = self.state else { return }
            self.closeChannel(context, promise: nil)
        }
    }

    private func makeClosing(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) -> State {
        let timeout = context.eventLoop.assumeIsolated().scheduleTask(in: Self.closeTimeout) {
            guard case .closing = self.state else { return }
            context.close(promise: nil)
        }
        return .closing(timeout: timeout, promise ?? context.eventLoop.makePromise())
    }

    private func writeCloseNotify(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        self.encryptUnsent(context)
        self.session.closeOutput()
        let output = self.session.takeOutput() ?? ByteBuffer()
        context.writeAndFlush(self.wrapOutboundOut(output), promise: promise)
    }
}
