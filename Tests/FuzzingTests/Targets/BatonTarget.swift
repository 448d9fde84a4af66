import NIOCore

@testable import ApusServer

extension FuzzTarget {
    /// A message of devious baton, on a stream or in a datagram.
    static let baton = FuzzTarget("baton") { input in
        let whole = try? BatonMessage.decode(ByteBuffer(bytes: input))
        for cutting in Cutting.inPieces {
            var reader = BatonMessage.Reader()
            let message = try? {
                for piece in cutting.pieces(of: input) { try reader.received(piece) }
                return try reader.ended()
            }()
            try requireEqual(message, whole, "a message \(cutting), and whole")
        }
        guard let whole else { return }
        try requireEqual(whole.value, input.last, "the baton, and the message's last byte")
        let again = whole.encoded(padding: input.count)
        try requireEqual(try BatonMessage.decode(again), whole, "a message written and read, and itself")
    }
}
