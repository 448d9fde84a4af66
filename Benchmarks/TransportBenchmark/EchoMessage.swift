public import NIOCore

/// Messages of one size, each different from the others: a number in eight bytes, then bytes that follow from it.
public struct EchoMessage: Sendable {
    /// In bytes: the number alone.
    public static let minimumSize = 8

    private let filling: ByteBuffer

    /// - Precondition: `size` is at least `minimumSize`.
    public init(size: Int) {
        precondition(size >= Self.minimumSize, "a message begins with its number")
        // A fixed sequence without a short period, so that bytes in the wrong place show.
        var state: UInt32 = 0x9e37_79b9
        self.filling = ByteBuffer(
            bytes: (Self.minimumSize..<size).map { _ in
                state = state &* 1_664_525 &+ 1_013_904_223
                return UInt8(truncatingIfNeeded: state >> 24)
            }
        )
    }

    /// The message with this number.
    public func make(_ number: UInt64) -> ByteBuffer {
        var message = ByteBuffer()
        message.reserveCapacity(minimumWritableBytes: Self.minimumSize + self.filling.readableBytes)
        message.writeInteger(number)
        message.writeImmutableBuffer(self.filling)
        return message
    }

    /// The number of a message, or nil when it is too short to hold one.
    public static func number(of message: ByteBuffer) -> UInt64? {
        message.getInteger(at: message.readerIndex)
    }
}
