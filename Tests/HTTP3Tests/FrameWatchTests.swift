import NIOCore
import Testing

@testable import HTTP3

@Suite("WT_STREAM where it may not come (draft-ietf-webtrans-http3 § 4.3)")
struct FrameWatchTests {
    /// HEADERS of three bytes that look like the signal, an empty DATA, and a frame of reserved type.
    private static let frames: [UInt8] = [0x01, 3, 0x40, 0x41, 0x41, 0x00, 0, 0x21, 1, 0x41]
    private static let signal: [UInt8] = [0x40, 0x41]

    /// - Returns: the code of the error, if any.
    private static func verdict(_ bytes: [UInt8], isUnidirectional: Bool, step: Int) -> HTTP3.HTTP3ErrorCode? {
        var watch = FrameWatch(isUnidirectional: isUnidirectional)
        do throws(HTTP3Error) {
            for start in stride(from: 0, to: bytes.count, by: step) {
                _ = try watch.process(ByteBuffer(bytes: bytes[start..<min(start + step, bytes.count)]))
            }
            return nil
        } catch {
            return error.code
        }
    }

    @Test("It is found behind other frames, and nothing else is taken for it", arguments: [1, 2, 3, 100])
    func request(step: Int) {
        #expect(Self.verdict(Self.frames + Self.frames, isUnidirectional: false, step: step) == nil)
        #expect(Self.verdict(Self.frames + Self.signal, isUnidirectional: false, step: step) == .frameError)
        #expect(Self.verdict(Self.signal, isUnidirectional: false, step: step) == .frameError)
    }

    @Test("It is found on a control stream, and not on streams without frames", arguments: [1, 2, 100])
    func unidirectional(step: Int) {
        // The type may take more bytes than it needs.
        for type: [UInt8] in [[0x00], [0x40, 0x00]] {
            #expect(Self.verdict(type + Self.frames, isUnidirectional: true, step: step) == nil)
            #expect(Self.verdict(type + Self.frames + Self.signal, isUnidirectional: true, step: step) == .frameError)
        }
        // QPACK's encoder stream (RFC 9204 § 4.2).
        #expect(Self.verdict([0x02] + Self.signal, isUnidirectional: true, step: step) == nil)
    }
}
