/// The sending side of one stream, and what is known of it until the library forgets it.
final class Stream {
    let id: StreamID
    var buffer = SendBuffer()
    var fin = Fin.open
    /// In which of the connection's queues of streams with something to send it stands.
    var queue = Queue.none
    /// Whether flow control holds it up.
    var isBlocked = false
    /// The end waits until the peer has acknowledged that many bytes.
    var finPrefix: UInt64 = 0
    /// Whether an empty frame is to be written, to learn whether the peer has stopped the stream.
    var isProbed = false
    /// A reset that waits until the first bytes of the stream have been acknowledged.
    var pendingReset: PendingReset?

    /// Whether the library has forgotten it. It may still stand in a queue.
    private(set) var isClosed = false

    enum Queue {
        case none
        case sending
        /// It waits for credit of the connection.
        case credit
    }

    /// The end of the sending side.
    enum Fin {
        case open
        case queued
        case sent
        /// The peer has stopped it. Its code comes with the stream's close.
        case stopped
        case reset
    }

    /// RESET_STREAM would discard a stream's prefix, without which the peer cannot tell whose stream it is
    /// (draft-ietf-webtrans-http3 § 4.4; RESET_STREAM_AT solves it where both ends have it).
    struct PendingReset {
        var code: UInt64
        var acknowledgedOffset: UInt64
    }

    init(id: StreamID) {
        self.id = id
    }

    /// At the end of the stream: whether the peer cut it short (STOP_SENDING).
    var isStoppedByPeer: Bool {
        switch self.fin {
        case .open, .queued: true
        case .stopped: true
        case .sent: self.buffer.acknowledgedOffset < self.buffer.sentOffset
        case .reset: false
        }
    }

    /// Nothing of it is needed any more.
    func close() {
        self.isClosed = true
        self.fin = .reset
        self.buffer = SendBuffer()
    }

    var mayEnd: Bool { self.buffer.acknowledgedOffset >= self.finPrefix }

    var hasSomethingToSend: Bool {
        switch self.fin {
        case .open: self.buffer.hasUnsent || self.isProbed
        case .queued: self.buffer.hasUnsent || self.mayEnd
        case .sent, .stopped, .reset: false
        }
    }
}
