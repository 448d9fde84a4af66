import NIOCore
import Testing

@testable import WebSocket

@Suite("Compression of messages (RFC 7692 § 7.2) [68, 72]")
struct MessageCompressionTests {
    private static let hello = Array("Hello".utf8)

    private static func deflate(_ deflater: MessageDeflater, _ message: [UInt8]) -> [UInt8] {
        var buffer = ByteBuffer()
        message.withUnsafeBytes { deflater.deflate($0, into: &buffer) }
        return Array(buffer.readableBytesView)
    }

    private static func inflate(
        _ inflater: MessageInflater,
        _ payload: [UInt8],
        chunk: Int = .max,
        limit: Int = 1 << 24
    ) throws(MessageInflater.Failure) -> [UInt8] {
        var message = ByteBuffer()
        var rest = payload[...]
        repeat {
            let part = ByteBuffer(bytes: rest.prefix(chunk))
            rest = rest.dropFirst(chunk)
            try inflater.inflate(part.readableBytesView, isFinal: rest.isEmpty, into: &message, limit: limit)
        } while !rest.isEmpty
        return Array(message.readableBytesView)
    }

    /// Text with repetitions near and far, and parts without any.
    private static let samples: [[UInt8]] = {
        var generator = SystemRandomNumberGenerator()
        let noise = (0..<70_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let text = Array((0..<3_000).map { "{\"id\":\($0),\"name\":\"n\($0 % 7)\"}" }.joined(separator: ",").utf8)
        return [
            hello, [0], [UInt8](repeating: 7, count: 100_000), text, noise, Array(noise.prefix(1_000)) + text + noise,
        ]
    }()

    @Test(
        "The RFC's examples decompress, whole and a byte at a time (§ 7.2.3)",
        arguments: [
            // § 7.2.3.1 one block; § 7.2.3.3 a stored block; § 7.2.3.4 a block that says it is the last; § 7.2.3.5 two
            // blocks with an empty one between them.
            [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
            [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
            [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
        ] as [[UInt8]],
        [1, 3, Int.max]
    )
    func vectors(payload: [UInt8], chunk: Int) throws {
        let inflater = MessageInflater(windowBits: 15, keepsContext: true)
        // Again, to see that the first message has left the stream in order.
        for _ in 0..<3 { #expect(try Self.inflate(inflater, payload, chunk: chunk) == Self.hello) }
    }

    @Test("A message may refer to the one before it, even past a last block (§ 7.2.3.2, § 7.2.3.4)")
    func contextTakeover() throws {
        let second: [UInt8] = [0xf2, 0x00, 0x11, 0x00, 0x00]
        for first in [[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00]] {
            let inflater = MessageInflater(windowBits: 15, keepsContext: true)
            #expect(try Self.inflate(inflater, first.map(UInt8.init)) == Self.hello)
            #expect(try Self.inflate(inflater, second) == Self.hello)
            // Without takeover there is nothing to refer to.
            let forgetful = MessageInflater(windowBits: 15, keepsContext: false)
            #expect(try Self.inflate(forgetful, first.map(UInt8.init)) == Self.hello)
            #expect(throws: MessageInflater.Failure.invalid) { try Self.inflate(forgetful, second) }
        }
    }

    @Test("An empty message is one byte, any number of times (§ 7.2.3.6)")
    func empty() throws {
        let deflater = MessageDeflater(windowBits: 15, keepsContext: true)
        let inflater = MessageInflater(windowBits: 15, keepsContext: true)
        for message in [[], [], Self.hello, [], []] as [[UInt8]] {
            let payload = Self.deflate(deflater, message)
            if message.isEmpty { #expect(payload == [0]) }
            #expect(try Self.inflate(inflater, payload) == message)
        }
    }

    @Test("The first message is the RFC's example, and later ones refer to it only with takeover")
    func deflateContext() {
        let keeping = MessageDeflater(windowBits: 15, keepsContext: true)
        let forgetting = MessageDeflater(windowBits: 15, keepsContext: false)
        let alone: [UInt8] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]
        #expect(Self.deflate(keeping, Self.hello) == alone)
        #expect(Self.deflate(keeping, Self.hello).count < alone.count)
        for _ in 0..<3 { #expect(Self.deflate(forgetting, Self.hello) == alone) }
    }

    @Test(
        "What is compressed comes back, with every window, with and without context",
        arguments: 9...15,
        [true, false]
    )
    func roundTrip(windowBits: Int, keepsContext: Bool) throws {
        let deflater = MessageDeflater(windowBits: windowBits, keepsContext: keepsContext)
        let inflater = MessageInflater(windowBits: windowBits, keepsContext: keepsContext)
        for sample in Self.samples {
            let payload = Self.deflate(deflater, sample)
            #expect(payload.suffix(4) != MessageDeflater.tail[...])
            #expect(payload.count <= MessageAssembler.maximumFrameSize(forMessagesOf: sample.count, isCompressed: true))
            #expect(try Self.inflate(inflater, payload, chunk: 1_000) == sample)
        }
    }

    @Test("A message in single bytes is the same message")
    func byteAtATime() throws {
        let deflater = MessageDeflater(windowBits: 12, keepsContext: true)
        let inflater = MessageInflater(windowBits: 12, keepsContext: true)
        for sample in Self.samples where sample.count < 100_000 {
            #expect(try Self.inflate(inflater, Self.deflate(deflater, sample), chunk: 1) == sample)
        }
    }

    @Test("A reference beyond the window that was agreed on is not valid (§ 7.1.2)")
    func window() throws {
        let phrase = Array("a phrase that comes back".utf8)
        // Few enough symbols that it pays to code them, none of them the phrase's.
        let message = phrase + (0..<4_000).map { _ in UInt8.random(in: 0x30...0x39) } + phrase
        let payload = Self.deflate(MessageDeflater(windowBits: 15, keepsContext: true), message)
        let small = MessageInflater(windowBits: 9, keepsContext: true)
        #expect(throws: MessageInflater.Failure.invalid) { try Self.inflate(small, payload, chunk: 100).count }
    }

    @Test("A bomb is noticed at the limit, and costs one step of memory beyond it", arguments: [0, 1, 1_000, 100_000])
    func bomb(limit: Int) throws {
        // 16 MiB in some 16 KiB.
        let payload = Self.deflate(
            MessageDeflater(windowBits: 15, keepsContext: true),
            [UInt8](repeating: 0, count: 16 << 20)
        )
        let inflater = MessageInflater(windowBits: 15, keepsContext: true)
        var message = ByteBuffer()
        #expect(throws: MessageInflater.Failure.tooLarge) {
            try inflater.inflate(
                ByteBuffer(bytes: payload).readableBytesView,
                isFinal: true,
                into: &message,
                limit: limit
            )
        }
        #expect(message.readableBytes <= limit + 1)
        // A buffer grows to the next power of two.
        #expect(message.capacity <= 2 * (limit + MessageInflater.stepSize))
    }

    @Test("A message of exactly the limit is taken, and of a byte more is not")
    func limit() throws {
        for size in [1, 255, 256, 257, 16_383, 16_384, 16_385, 40_000] {
            let payload = Self.deflate(
                MessageDeflater(windowBits: 15, keepsContext: false),
                [UInt8](repeating: 1, count: size)
            )
            for chunk in [1, Int.max] {
                let inflater = MessageInflater(windowBits: 15, keepsContext: false)
                #expect(try Self.inflate(inflater, payload, chunk: chunk, limit: size).count == size)
                #expect(throws: MessageInflater.Failure.tooLarge) {
                    try Self.inflate(inflater, payload, chunk: chunk, limit: size - 1)
                }
            }
        }
    }

    @Test("What is no DEFLATE, or ends within a block, is not valid")
    func invalid() {
        let whole: [UInt8] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]
        // A block type that does not exist, a stored block whose length is not repeated, and a block cut short.
        for payload in [[0xff], [0x06], [0x00, 0x05, 0x00, 0x00, 0x00, 0x48]] + (1..<6).map({ Array(whole.prefix($0)) })
        {
            let inflater = MessageInflater(windowBits: 15, keepsContext: true)
            #expect(throws: MessageInflater.Failure.invalid, "\(payload)") { try Self.inflate(inflater, payload) }
        }
    }

    @Test("Blocks that give nothing are taken in any number")
    func emptyBlocks() throws {
        let inflater = MessageInflater(windowBits: 15, keepsContext: true)
        // Empty last blocks, each of which starts a new stream in the same window; then the RFC's example.
        let blocks = [UInt8](repeatElement([0x03, 0x00], count: 100_000).joined())
        #expect(try Self.inflate(inflater, blocks + [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]) == Self.hello)
    }
}
