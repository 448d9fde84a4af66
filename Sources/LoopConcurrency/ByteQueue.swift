import DequeModule
public import NIOCore

/// Bytes that nobody wants yet, in their order.
///
/// They are kept in portions: a peer that sends them one by one cannot make each cost more than a byte, and what was taken
/// out is not kept along with the rest.
public struct ByteQueue: Sendable {
    /// What comes out at once, at most, unless it came in at once.
    public static let portion = 64 << 10

    private var portions: Deque<ByteBuffer> = []
    public private(set) var readableBytes = 0

    public init() {}

    public var isEmpty: Bool { self.portions.isEmpty }

    public mutating func append(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        self.readableBytes += bytes.readableBytes
        let last = self.portions.count - 1
        if last >= 0, self.portions[last].readableBytes + bytes.readableBytes <= Self.portion {
            self.portions[last].writeImmutableBuffer(bytes)
        } else {
            self.portions.append(bytes)
        }
    }

    /// The next bytes; nil when there are none.
    public mutating func next() -> ByteBuffer? {
        guard let portion = self.portions.popFirst() else { return nil }
        self.readableBytes -= portion.readableBytes
        return portion
    }

    /// Takes all out at once.
    public mutating func removeAll() {
        self.portions.removeAll()
        self.readableBytes = 0
    }
}
