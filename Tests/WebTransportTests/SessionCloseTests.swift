import NIOCore
import Testing
import WebTransport

@Suite("The content of WT_CLOSE_SESSION (draft-ietf-webtrans-http3 § 6)")
struct SessionCloseTests {
    @Test("Four bytes of code, then the reason")
    func payload() {
        #expect(
            SessionClose(code: 4242, reason: "bye").payload == ByteBuffer(bytes: [0, 0, 0x10, 0x92, 0x62, 0x79, 0x65])
        )
        #expect(SessionClose(code: .max).payload == ByteBuffer(bytes: [0xff, 0xff, 0xff, 0xff]))
    }

    @Test("What is written is read", arguments: [0, 1, 255, 65_536, .max] as [UInt32])
    func roundTrip(code: UInt32) {
        for reason in ["", "bye", "grüezi", "\0", "🦢🪶", String(repeating: "x", count: 1024)] {
            let close = SessionClose(code: code, reason: reason)
            #expect(close.reason == reason)
            #expect(SessionClose(payload: close.payload) == close)
        }
    }

    @Test(
        "A reason that is too long is cut between two characters, at 1,024 bytes or just before",
        arguments: ["x", "é", "€", "🦢", "👩‍👩‍👧‍👦", "e\u{301}"]
    )
    func truncation(character: String) {
        let size = character.utf8.count
        for offset in 0..<size {
            let lead = String(repeating: ".", count: offset)
            let close = SessionClose(reason: lead + String(repeating: character, count: 1100))
            let count = (1024 - offset) / size
            #expect(close.reason == lead + String(repeating: character, count: count))
            #expect(close.payload.readableBytes <= 4 + 1024)
        }
    }

    @Test("1,024 bytes of reason are read, one more is malformed, and so are fewer than four in all")
    func bounds() {
        let code: [UInt8] = [0, 0, 0, 1]
        let longest = SessionClose(payload: ByteBuffer(bytes: code + [UInt8](repeating: 0x61, count: 1024)))
        #expect(longest?.reason.utf8.count == 1024)
        #expect(SessionClose(payload: ByteBuffer(bytes: code + [UInt8](repeating: 0x61, count: 1025))) == nil)
        for count in 0..<4 { #expect(SessionClose(payload: ByteBuffer(bytes: code.prefix(count))) == nil) }
    }

    @Test(
        "A reason that is not UTF-8 is malformed",
        arguments: [
            [0xff], [0x61, 0x80], [0xc3], [0xe2, 0x82], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80],
        ] as [[UInt8]]
    )
    func invalidUTF8(reason: [UInt8]) {
        #expect(SessionClose(payload: ByteBuffer(bytes: [0, 0, 0, 0] + reason)) == nil)
    }
}
