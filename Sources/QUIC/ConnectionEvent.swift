package import NIOCore

/// What happened to a connection, in the order in which it happened.
package enum ConnectionEvent {
    /// Data can be sent; streams can be opened. A server may do so before the client has finished, and a client that
    /// resumes a session before the server has answered (0-RTT).
    case readyToSend
    /// The server has not taken what this client sent before the handshake was complete. All its streams and datagrams
    /// are gone as if they had never been, and can be sent again (RFC 9001 § 4.6.2).
    case earlyDataRejected
    /// The TLS handshake is complete and, for a client, the server's certificate is accepted.
    case handshakeCompleted
    case streamData(StreamID, ByteBuffer, isFinal: Bool)
    /// The peer gave up sending (RESET_STREAM). The final size is the number of bytes that it has sent, arrived or not
    /// (RFC 9000 § 4.5). It comes also for a stream that this end has asked the peer to stop.
    /// `isLate`: the stream's end was reported before.
    case streamReset(StreamID, code: UInt64, finalSize: UInt64, isLate: Bool)
    /// The peer has reset a stream of which nothing else had arrived. Nothing more is said of it, and its place has
    /// been given to another.
    case streamStillborn(StreamID)
    /// The peer gave up receiving (STOP_SENDING); the stream was reset with its code in answer (RFC 9000 § 3.5).
    ///
    /// The library does not report the frame. It shows when the stream closes, with its code; and before that, when
    /// more is to be sent on a bidirectional one, without it.
    case stopSending(StreamID, code: UInt64?)
    /// Both directions have ended and all was acknowledged; the ID means nothing any more. `sentByteCount` is the final
    /// size of what this end has sent.
    case streamClosed(StreamID, sentByteCount: UInt64)
    /// The peer acknowledged data of a stream.
    case acknowledged(StreamID)
    /// The peer allows more streams to be opened.
    case streamsAvailable(StreamDirection)
    case datagram(ByteBuffer)
    /// Nothing follows.
    case closed(ConnectionCloseReason)
}

/// Why a connection ended.
package enum ConnectionCloseReason: Sendable, Hashable {
    /// This end closed it with an application error code (for HTTP/3, RFC 9114 § 8.1).
    case closedLocally(code: UInt64)
    case closedByPeer(code: UInt64, isApplication: Bool, reason: String)
    case idleTimeout
    case handshakeTimeout
    case statelessReset
    case versionNegotiationFailed
    /// The server's certificate was not accepted; one sentence says why and what to do.
    case certificateRejected(String)
    /// The peer broke the protocol, or the TLS handshake failed; the library's words.
    case transportError(String)
}

extension ConnectionCloseReason: CustomStringConvertible {
    package var description: String {
        switch self {
        case .closedLocally(let code): "closed here with code 0x\(String(code, radix: 16))"
        case .closedByPeer(let code, let isApplication, let reason):
            "the peer closed the connection with \(isApplication ? "application" : "transport") code "
                + "0x\(String(code, radix: 16))\(reason.isEmpty ? "" : " (\(reason))")"
        case .idleTimeout: "nothing was heard from the peer for the whole idle timeout"
        case .handshakeTimeout: "the handshake did not complete in time; UDP may be blocked on the way"
        case .statelessReset: "the peer has lost its state of this connection (stateless reset)"
        case .versionNegotiationFailed: "the peer does not speak QUIC version 1"
        case .certificateRejected(let why): why
        case .transportError(let text): text
        }
    }
}
