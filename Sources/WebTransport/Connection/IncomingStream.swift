import HTTP3
import NIOCore

/// A stream that the peer opened: first its bytes decide whose it is, then they go there.
///
/// The peer may open another one in its place when it has closed *and* the application is done with what it received:
/// else a peer could have any number of tasks wait for something else.
final class IncomingStream {
    var kind: Kind
    var isClosed = false
    /// Whether the application is done with it, or will never see it.
    var isTaken = false
    /// Whether it is a request with a response, which may still be under way.
    var isAnswered = false
    /// What has come of a request's body, which nobody reads.
    var droppedByteCount = 0
    /// Whether the peer has given up one of its halves.
    var isAbandoned = false
    /// Whether this end has asked the peer to give up sending.
    var isStoppedHere = false

    enum Kind {
        /// Its first bytes have not arrived yet.
        case typing
        case http3
        /// The peer's control stream, which begins with its SETTINGS.
        case control
        /// The peer's encoder or decoder stream of QPACK.
        case compression
        /// Of a session.
        case webTransport(ReceiveStreamCore)
        /// Rejected; what still arrives is thrown away.
        case discarded
    }

    private var typing: StreamTyping

    init(isUnidirectional: Bool) {
        self.kind = .typing
        self.typing = StreamTyping(isUnidirectional: isUnidirectional)
    }

    /// Bytes that have not shown yet whose stream it is.
    var bufferedByteCount: Int { self.typing.bufferedByteCount }

    func type(_ bytes: ByteBuffer, isFinal: Bool) -> StreamTyping.Verdict {
        self.typing.process(bytes, isFinal: isFinal)
    }
}
