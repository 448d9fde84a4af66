import NIOCore
import Testing

@testable import TransportBenchmark

@Suite("Messages of a turn, and of the bulk transfer beside them")
struct PacedMessagesTests {
    private let messages = PacedMessages(size: 16, bulkSize: 40)

    @Test("Their numbers tell them apart")
    func numbers() {
        #expect(self.messages.bulkNumber(of: self.messages.make(7)) == nil)
        #expect(self.messages.bulkNumber(of: self.messages.bulk(7)) == 7)
        #expect(PacedMessages(size: 16, bulkSize: nil).bulkNumber(of: self.messages.bulk(7)) == nil)
    }

    @Test("On one stream each is taken whole, however the bytes come", arguments: [1, 7, 16, 1_000])
    func oneStream(step: Int) {
        let sent = [self.messages.make(0), self.messages.bulk(0), self.messages.bulk(1), self.messages.make(1)]
        var bytes = ByteBuffer()
        for message in sent { bytes.writeImmutableBuffer(message) }
        var (stream, received) = (StreamMessages(self.messages), [ByteBuffer]())
        while bytes.readableBytes > 0 {
            guard let slice = bytes.readSlice(length: min(step, bytes.readableBytes)) else { break }
            stream.append(slice)
            while let message = stream.next() { received.append(message) }
        }
        #expect(received == sent)
    }
}
