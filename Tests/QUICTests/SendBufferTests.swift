import NIOCore
import QUIC
import Testing

@Suite("Send buffer")
struct SendBufferTests {
    @Test("Bytes are held from append to acknowledgement, whatever the cuts", arguments: 1...12)
    func lifecycle(step: Int) {
        var buffer = SendBuffer()
        for text in ["abc", "", "defgh", "ij"] { buffer.append(ByteBuffer(string: text)) }
        #expect(buffer.heldByteCount == 10)
        var sent = 0
        while buffer.hasUnsent {
            let count = min(step, 10 - sent)
            buffer.sent(count)
            sent += count
        }
        #expect(buffer.sentOffset == 10)
        for offset in stride(from: step, through: 10, by: step) {
            buffer.acknowledged(upTo: UInt64(offset))
            #expect(buffer.heldByteCount == 10 - offset)
        }
        buffer.acknowledged(upTo: 10)
        #expect(buffer.heldByteCount == 0)
        #expect(!buffer.hasUnsent)
    }

    @Test("After a reset nothing unsent is left, and what was sent can still be acknowledged", arguments: 0...8)
    func discard(sent: Int) {
        var buffer = SendBuffer()
        buffer.append(ByteBuffer(string: "abcd"))
        buffer.append(ByteBuffer(string: "efgh"))
        buffer.sent(sent)
        buffer.discardUnsent()
        #expect(!buffer.hasUnsent)
        #expect(buffer.heldByteCount == sent)
        buffer.acknowledged(upTo: UInt64(sent))
        #expect(buffer.heldByteCount == 0)
    }
}
