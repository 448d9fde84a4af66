import NIOCore
import WebTransportCore

@testable import HTTP3

extension FuzzTarget {
    /// Variable-length integers (RFC 9000 § 16) and what is made of one or two of them: frame headers, quarter stream
    /// IDs, error codes.
    static let varints = FuzzTarget("varints") { input in
        var buffer = ByteBuffer(bytes: input)
        let expected = Self.varint(input)
        let value = buffer.readEncodedInteger(as: UInt64.self, strategy: .quic)
        try requireEqual(value, expected?.value, "the value read, and the one that RFC 9000 § 16 describes")
        if let value, let expected {
            try requireEqual(input.count - buffer.readableBytes, expected.size, "the size read, and the one announced")
            var shortest = ByteBuffer()
            shortest.writeEncodedInteger(value, strategy: .quic)
            try require(shortest.readableBytes <= expected.size, "the shortest form is no longer than another")
            try requireEqual(
                shortest.readEncodedInteger(as: UInt64.self, strategy: .quic),
                value,
                "a value that was written and read, and itself"
            )
            try Self.checkErrorCode(value)
        }
        try Self.checkFrameHeader(input)
        try Self.checkDatagram(ByteBuffer(bytes: input))
    }

    /// RFC 9000 § 16, read by hand.
    static func varint(_ bytes: UnsafeRawBufferPointer) -> (value: UInt64, size: Int)? {
        guard let first = bytes.first else { return nil }
        let size = 1 << Int(first >> 6)
        guard bytes.count >= size else { return nil }
        let value = bytes[1..<size].reduce(UInt64(first & 0x3f)) { $0 << 8 | UInt64($1) }
        return (value, size)
    }

    private static func checkFrameHeader(_ input: UnsafeRawBufferPointer) throws {
        var buffer = ByteBuffer(bytes: input)
        let header = FrameHeader(from: &buffer)
        let type = Self.varint(input)
        let length = type.flatMap { Self.varint(UnsafeRawBufferPointer(rebasing: input.dropFirst($0.size))) }
        try requireEqual(header?.length, length?.value, "a frame's length, and the second integer")
        let size = header == nil ? 0 : (type?.size ?? 0) + (length?.size ?? 0)
        try requireEqual(input.count - buffer.readableBytes, size, "what a header took, and its size")
    }

    private static func checkDatagram(_ frame: ByteBuffer) throws {
        do {
            let datagram = try HTTPDatagram(frame)
            var again = HTTPDatagram.header(streamID: datagram.streamID)
            again.writeImmutableBuffer(datagram.payload)
            try requireEqual(try HTTPDatagram(again), datagram, "a datagram that was written and read, and itself")
        } catch let error as HTTP3Error {
            try requireEqual(
                error.code,
                .datagramError,
                "the code for a datagram (RFC 9297 § 2.1), and H3_DATAGRAM_ERROR"
            )
        }
    }

    private static func checkErrorCode(_ value: UInt64) throws {
        if let code = ApplicationErrorCode.applicationCode(for: value) {
            try requireEqual(ApplicationErrorCode.wireCode(for: code), value, "a code there and back, and itself")
        }
        let code = UInt32(truncatingIfNeeded: value)
        let wire = ApplicationErrorCode.wireCode(for: code)
        try requireEqual(ApplicationErrorCode.applicationCode(for: wire), code, "a code there and back, and itself")
        try require((wire - 0x21) % 0x1f != 0, "code \(code) becomes a reserved one (RFC 9114 § 8.1)")
    }
}
