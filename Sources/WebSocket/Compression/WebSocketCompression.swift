/// How messages are compressed when both sides agree to (permessage-deflate, RFC 7692).
///
/// It is off unless it is configured, on both sides. Browsers offer it always, and a page cannot say no: a server that
/// takes it by itself would compress one side of every comparison between transports. It also costs memory for each
/// session and time on the event loop; and where a message mixes a secret with something that a stranger chooses, its
/// length tells about the secret. An application whose messages are long text, and hold no such mixture, gains by it.
///
/// A session that compresses needs about 2^(`sendWindowBits` + 3) + 6 KiB to compress and 2^`receiveWindowBits` + 10
/// KiB to decompress, each from the first compressed message on: with the defaults 38 and 14 KiB. A client that does
/// not let its window be limited may use 2^15 bytes; browsers let it.
public struct WebSocketCompression: Hashable, Sendable {
    /// The window of our compressor is 2 to the power of this, from 9 to 15, or less when the peer wants it. 4 KiB hold
    /// the last few dozen of the small messages of real-time applications; more pays off for large documents.
    public var sendWindowBits = 12
    /// What the peer is asked to limit its window to, from 9 to 15.
    public var receiveWindowBits = 12
    /// Whether our messages may refer to earlier ones. Small messages are hardly compressible by themselves.
    public var keepsSendContext = true
    /// Whether the peer's messages may refer to earlier ones. The memory is the same; without it nothing of a message
    /// stays in memory.
    public var keepsReceiveContext = true
    /// zlib's level, from 1 to 9. The fastest, because the event loop waits: others shrink text by a tenth more, in
    /// several times the time.
    public var level = 1
    /// Shorter messages are sent as they are. With headers of all layers they fill a packet of some hundred bytes,
    /// of which nothing worth the time could be saved.
    public var threshold = 64

    /// The defaults of RFC 7692: context takeover, the largest window.
    public init() {}
}
