public import HTTPTypes
import LoopConcurrency
public import NIOCore

/// One WebSocket session: a handle that may be copied and used from any task.
///
/// On the connection's own event loop, where a server's handler runs, a call acts at once and without a lock; from
/// elsewhere it goes through a queue that wakes the loop once per burst. Messages of one task are sent in its order.
public struct WebSocketSession: Sendable {
    /// What the client asked for. On the client's side it is the request that it sent.
    public let request: HTTPRequest
    /// What carries the session.
    public let mapping: WebSocketMapping
    /// The application protocol that both agreed on.
    public let subprotocol: String?
    /// The extensions that both agreed on, as the server has written them; empty when there are none.
    public let extensions: String
    /// The peer's address.
    public let remoteAddress: SocketAddress?
    /// The peer's messages, in order. Iterate once; the sequence ends when either side closes.
    public let messages: WebSocketMessages
    /// The loop that the connection lives on.
    public let eventLoop: any EventLoop

    /// Whether this end, as a client, has shortened its TLS handshake by what its `resumption` remembered.
    package let isResumed: Bool

    private let connection: NIOLoopBound<WebSocketConnection>
    private let sendQueue: SendQueue
    private let closeSignal: CloseSignal

    /// To be made on the connection's loop.
    init(
        _ connection: WebSocketConnection,
        request: HTTPRequest,
        mapping: WebSocketMapping,
        subprotocol: String?,
        extensions: String,
        remoteAddress: SocketAddress?,
        isResumed: Bool = false
    ) {
        self.isResumed = isResumed
        self.request = request
        self.mapping = mapping
        self.subprotocol = subprotocol
        self.extensions = extensions
        self.remoteAddress = remoteAddress
        self.eventLoop = connection.eventLoop
        self.connection = NIOLoopBound(connection, eventLoop: connection.eventLoop)
        self.sendQueue = connection.sendQueue
        self.closeSignal = connection.closeSignal
        self.messages = WebSocketMessages(
            mailbox: connection.messages,
            gate: connection.gate,
            connection: self.connection
        )
    }

    /// Sends a text message.
    ///
    /// It suspends while more is on its way than the peer and the network take. When it returns the message is in the
    /// queue, not with the peer.
    /// - Throws: `WebSocketError` with the code `closed`; `CancellationError` when the task is cancelled while it
    ///   waits, though the message has been taken.
    public func send(text: String) async throws {
        try await self.send(.text(text))
    }

    /// Sends a binary message. See `send(text:)`.
    public func send(binary: ByteBuffer) async throws {
        try await self.send(.binary(binary))
    }

    /// Sends a message of either kind. See `send(text:)`.
    public func send(_ message: WebSocketMessage) async throws {
        if self.eventLoop.inEventLoop {
            if try self.connection.value.send(message) { return }
        } else {
            try self.enqueue(.message(message))
        }
        try await self.sendQueue.waitForRoom()
    }

    /// Asks the peer for a sign of life, and returns how long it took.
    @discardableResult
    public func ping() async throws -> Duration {
        let promise = self.eventLoop.makePromise(of: TimeAmount.self)
        if self.eventLoop.inEventLoop {
            self.connection.value.ping(promise)
        } else {
            do {
                try self.enqueue(.ping(promise))
            } catch {
                promise.fail(error)
            }
        }
        return try await .nanoseconds(promise.futureResult.get().nanoseconds)
    }

    /// Closes the session after the messages that were sent. `closed` tells when the peer has agreed.
    ///
    /// - Parameters:
    ///   - code: one that may be sent (`isSendable`); any other sends a Close frame without a code.
    ///   - reason: for people; what goes beyond 123 bytes of UTF-8 is cut (RFC 6455 § 5.5).
    public func close(code: WebSocketCloseCode = .normal, reason: String = "") {
        let reason = Self.fitting(reason)
        if self.eventLoop.inEventLoop {
            self.connection.value.drainSendQueue()
            self.connection.value.close(code, reason: reason)
        } else {
            // It fails only when the session is closed, which is what was asked for.
            try? self.enqueue(.close(code, reason: reason))
        }
    }

    /// Waits for the end of the session and tells how it ended. A task that is cancelled meanwhile gets 1006.
    public var closed: WebSocketClose {
        get async { await self.closeSignal.wait() }
    }

    private func enqueue(_ item: SendQueue.Item) throws(WebSocketError) {
        guard try self.sendQueue.append(item) else { return }
        let connection = self.connection
        self.eventLoop.execute { connection.value.drainSendQueue() }
    }

    /// A control frame holds 125 bytes, of which the code takes two.
    private static func fitting(_ reason: String) -> String {
        guard reason.utf8.count > 123 else { return reason }
        var end = reason.startIndex
        var count = 0
        for character in reason {
            count += character.utf8.count
            guard count <= 123 else { break }
            end = reason.index(after: end)
        }
        return String(reason[..<end])
    }
}

/// The messages of a session, in order. One task at a time iterates it; who has stopped may go on.
///
/// Taking a message makes room for others: while too many wait, the connection is not read, and the peer's sends stall.
public struct WebSocketMessages: AsyncSequence, Sendable {
    public typealias Element = WebSocketMessage

    let mailbox: Mailbox<WebSocketMessage>
    let gate: ReceiveGate
    let connection: NIOLoopBound<WebSocketConnection>

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(base: self.mailbox.makeAsyncIterator(), gate: self.gate, connection: self.connection)
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        private var base: Mailbox<WebSocketMessage>.AsyncIterator
        private let gate: ReceiveGate
        private let connection: NIOLoopBound<WebSocketConnection>

        init(
            base: Mailbox<WebSocketMessage>.AsyncIterator,
            gate: ReceiveGate,
            connection: NIOLoopBound<WebSocketConnection>
        ) {
            self.base = base
            self.gate = gate
            self.connection = connection
        }

        // `@concurrent` as the mailbox's; the task executor preference keeps it on the loop.
        @concurrent public mutating func next() async -> WebSocketMessage? {
            guard let message = await self.base.next() else { return nil }
            if self.gate.remove(ReceiveGate.cost(of: message)) {
                let connection = self.connection
                connection.eventLoop.execute { connection.value.caughtUp() }
            }
            return message
        }
    }
}
