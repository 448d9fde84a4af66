import NIOCore

/// Ways to cut an input, as a network may deliver it: whole, byte by byte, and at places that the input itself decides,
/// so that an input always fails in the same way.
struct Cutting: CustomStringConvertible {
    private enum Kind { case whole, bytes, pieces }
    private let kind: Kind

    static let whole = Cutting(kind: .whole)
    /// All but the whole.
    static let inPieces = [Cutting(kind: .bytes), Cutting(kind: .pieces)]

    var description: String {
        switch self.kind {
        case .whole: "whole"
        case .bytes: "byte by byte"
        case .pieces: "in pieces"
        }
    }

    /// Each piece has a storage of its own. There is at least one, which is empty for an empty input.
    /// - Parameter seed: what decides over the places; nil is the input itself.
    func pieces(of input: UnsafeRawBufferPointer, seededBy seed: UnsafeRawBufferPointer? = nil) -> [ByteBuffer] {
        guard !input.isEmpty else { return [ByteBuffer()] }
        var generator = InputGenerator(seed ?? input)
        var pieces: [ByteBuffer] = []
        var rest = input[...]
        while !rest.isEmpty {
            let size =
                switch self.kind {
                case .whole: rest.count
                case .bytes: 1
                case .pieces: Int.random(in: 1...16, using: &generator)
                }
            pieces.append(ByteBuffer(bytes: rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        return pieces
    }
}

/// Random numbers that follow from an input: FNV-1a for the seed, then SplitMix64.
struct InputGenerator: RandomNumberGenerator {
    private var state: UInt64 = 0xcbf2_9ce4_8422_2325

    init(_ input: UnsafeRawBufferPointer) {
        for byte in input { self.state = (self.state ^ UInt64(byte)) &* 0x0100_0000_01b3 }
    }

    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

extension ByteBuffer {
    var bytes: [UInt8] { Array(self.readableBytesView) }
}
