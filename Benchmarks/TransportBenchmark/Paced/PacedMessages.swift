import NIOCore

/// The messages of a turn: those that have their times, and those of the bulk transfer beside them, which may be of another
/// size. All are told apart by their numbers.
struct PacedMessages: Sendable {
    /// What the number of each message of the bulk transfer has, and no other.
    private static let bulkBit: UInt64 = 1 << 63

    let size: Int
    private let messages: EchoMessage
    private let bulkMessages: EchoMessage?
    private let bulkSize: Int

    /// - Parameter bulkSize: nil for no bulk transfer.
    init(size: Int, bulkSize: Int?) {
        self.size = size
        self.messages = EchoMessage(size: size)
        self.bulkMessages = bulkSize.map(EchoMessage.init)
        self.bulkSize = bulkSize ?? 0
    }

    func make(_ number: UInt64) -> ByteBuffer { self.messages.make(number) }

    /// - Precondition: there is a bulk transfer.
    func bulk(_ number: UInt64) -> ByteBuffer {
        guard let bulkMessages = self.bulkMessages else { preconditionFailure("there is no bulk transfer") }
        return bulkMessages.make(number | Self.bulkBit)
    }

    /// The number of a message of the bulk transfer; nil for all others.
    func bulkNumber(of bytes: ByteBuffer) -> UInt64? {
        guard self.bulkMessages != nil, let number = EchoMessage.number(of: bytes), number & Self.bulkBit != 0 else {
            return nil
        }
        return number & ~Self.bulkBit
    }

    /// The size of the message that these bytes begin with.
    func size(of bytes: ByteBuffer) -> Int { self.bulkNumber(of: bytes) == nil ? self.size : self.bulkSize }
}
