import NIOCore
import Testing

@Suite("Variable-length integers")
struct VariableLengthIntegerTests {
    @Test(
        "The RFC's examples are read whole, and nothing of them before the last byte (RFC 9000 § A.1)",
        arguments: [
            ([0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c], 151_288_809_941_952_652),
            ([0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            ([0x7b, 0xbd], 15_293),
            ([0x25], 37),
            // Longer than it need be.
            ([0x40, 0x25], 37),
        ] as [([UInt8], UInt64)]
    )
    func examples(bytes: [UInt8], value: UInt64) {
        for count in 0..<bytes.count {
            var short = ByteBuffer(bytes: bytes.prefix(count))
            #expect(short.readEncodedInteger(as: UInt64.self, strategy: .quic) == nil)
            #expect(short.readableBytes == count)
        }
        var whole = ByteBuffer(bytes: bytes + [0xff])
        #expect(whole.readEncodedInteger(as: UInt64.self, strategy: .quic) == value)
        #expect(whole.readableBytes == 1)
    }

    @Test(
        "A number takes the shortest form (RFC 9000 § 16)",
        arguments: [
            (0, 1), (63, 1), (64, 2), (16_383, 2), (16_384, 4), (1_073_741_823, 4), (1_073_741_824, 8),
            (4_611_686_018_427_387_903, 8),
        ] as [(UInt64, Int)]
    )
    func lengths(value: UInt64, length: Int) {
        var buffer = ByteBuffer()
        buffer.writeEncodedInteger(value, strategy: .quic)
        #expect(buffer.readableBytes == length)
        #expect(buffer.readEncodedInteger(as: UInt64.self, strategy: .quic) == value)
    }
}
