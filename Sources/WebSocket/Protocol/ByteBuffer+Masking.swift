import NIOCore
import NIOWebSocket

extension ByteBuffer {
    /// Applies a masking key (RFC 6455 § 5.3) to the readable bytes from `offset` on; twice is none.
    ///
    /// It takes eight bytes at a time, where NIOWebSocket's takes one: masking is the only work on each byte that
    /// WebSocket adds to TCP.
    mutating func applyMask(_ key: WebSocketMaskingKey, from offset: Int = 0) {
        let word = UInt32(key[0]) | UInt32(key[1]) << 8 | UInt32(key[2]) << 16 | UInt32(key[3]) << 24
        let wide = (UInt64(word) << 32 | UInt64(word)).littleEndian
        self.withUnsafeMutableReadableBytes { all in
            let bytes = UnsafeMutableRawBufferPointer(rebasing: all[offset...])
            let wholeWords = bytes.count & ~7
            for index in stride(from: 0, to: wholeWords, by: 8) {
                let value = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                bytes.storeBytes(of: value ^ wide, toByteOffset: index, as: UInt64.self)
            }
            for index in wholeWords..<bytes.count { bytes[index] ^= key[index & 3] }
        }
    }
}
