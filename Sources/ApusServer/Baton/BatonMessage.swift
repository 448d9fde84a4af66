import NIOCore

/// A message of the devious baton protocol (draft-frindell-webtrans-devious-baton § 4): the length of some padding, the
/// padding, and the baton, a byte.
struct BatonMessage: Hashable {
    var value: UInt8

    /// Why bytes are no message.
    struct Malformed: Error, Equatable {}

    func encoded(padding count: Int) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeEncodedInteger(UInt64(count), strategy: .quic)
        bytes.writeRepeatingByte(0, count: count)
        bytes.writeInteger(self.value)
        return bytes
    }

    /// Reads a message that has arrived as a whole, such as a datagram.
    static func decode(_ bytes: ByteBuffer) throws(Malformed) -> BatonMessage {
        var reader = Reader()
        try reader.received(bytes)
        return try reader.ended()
    }

    /// Reads the one message of a stream as it arrives. Padding of any length is skipped; a short message is kept.
    struct Reader {
        /// What fits a datagram with room to spare.
        private static let maxCopy = 1000

        private enum State {
            case length(ByteBuffer)
            case padding(left: UInt64)
            case complete(BatonMessage)
        }
        private var state = State.length(ByteBuffer())
        /// The message as it came; nil when it is too long for a datagram.
        private(set) var copy: ByteBuffer? = ByteBuffer()

        mutating func received(_ bytes: ByteBuffer) throws(Malformed) {
            var bytes = bytes
            let size = (self.copy?.readableBytes ?? Self.maxCopy) + bytes.readableBytes
            if size <= Self.maxCopy { self.copy?.writeImmutableBuffer(bytes) } else { self.copy = nil }
            while bytes.readableBytes > 0 {
                switch self.state {
                case .length(var start):
                    start.writeImmutableBuffer(bytes)
                    guard let length = start.readEncodedInteger(as: UInt64.self, strategy: .quic) else {
                        self.state = .length(start)
                        return
                    }
                    self.state = .padding(left: length)
                    bytes = start
                case .padding(let left):
                    let skipped = min(left, UInt64(bytes.readableBytes))
                    bytes.moveReaderIndex(forwardBy: Int(skipped))
                    if left == skipped, let value = bytes.readInteger(as: UInt8.self) {
                        self.state = .complete(BatonMessage(value: value))
                    } else {
                        self.state = .padding(left: left - skipped)
                    }
                case .complete:
                    throw Malformed()
                }
            }
        }

        func ended() throws(Malformed) -> BatonMessage {
            guard case .complete(let message) = self.state else { throw Malformed() }
            return message
        }
    }
}
