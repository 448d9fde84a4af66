import Testing
import WebTransportCore

@Suite("Application error codes on the wire [20, 21]")
struct ApplicationErrorCodeTests {
    private static let first: UInt64 = 0x52e4_a40f_a8db
    private static let last: UInt64 = 0x52e5_ac98_3162

    @Test(
        "Codes of 32 bits map into HTTP/3's range and back (draft-ietf-webtrans-http3 § 4.4)",
        arguments: [
            (0, 0x52e4_a40f_a8db), (29, 0x52e4_a40f_a8f8), (30, 0x52e4_a40f_a8fa), (99, 0x52e4_a40f_a941),
            (255, 0x52e4_a40f_a9e2), (65_535, 0x52e4_a410_b162), (0xffff_ffff, 0x52e5_ac98_3162),
        ] as [(UInt32, UInt64)]
    )
    func vectors(code: UInt32, wire: UInt64) {
        #expect(ApplicationErrorCode.wireCode(for: code) == wire)
        #expect(ApplicationErrorCode.applicationCode(for: wire) == code)
    }

    @Test("Every code survives the way there and back, and none becomes a reserved one (RFC 9114 § 8.1)")
    func roundTrip() {
        let edges: [UInt32] = [1 << 16, 1 << 31, .max - 31, .max - 30, .max - 29, .max - 1, .max]
        var wrong: [UInt32] = []
        for code in Array(0..<100_000) + edges {
            let wire = ApplicationErrorCode.wireCode(for: code)
            let isReserved = (wire - 0x21) % 31 == 0
            if isReserved || ApplicationErrorCode.applicationCode(for: wire) != code { wrong.append(code) }
        }
        #expect(wrong.isEmpty)
    }

    @Test("In the range each wire code belongs to one application code, but for the reserved ones, which have none")
    func reserved() {
        for start in [Self.first, Self.last - 10_000] {
            var expected = ApplicationErrorCode.applicationCode(for: start)
            var wrong: [UInt64] = []
            for wire in start...(start + 10_000) {
                let code = ApplicationErrorCode.applicationCode(for: wire)
                if (wire - 0x21) % 31 == 0 {
                    if code != nil { wrong.append(wire) }
                } else {
                    if expected == nil { expected = code }
                    if code == nil || code != expected { wrong.append(wire) }
                    expected = code.map { $0 &+ 1 }
                }
            }
            #expect(wrong.isEmpty)
        }
    }

    @Test(
        "Codes outside the range are none of an application's",
        arguments: [0, 0x100, 0x10c, 0x3994_bd84, 0x170d_7b68, first - 1, last + 1, .max] as [UInt64]
    )
    func outside(wire: UInt64) {
        #expect(ApplicationErrorCode.applicationCode(for: wire) == nil)
    }

    @Test("WebTransport's own codes (draft-ietf-webtrans-http3 § 9.5)")
    func ownCodes() {
        #expect(WebTransportErrorCode.bufferedStreamRejected == 0x3994_bd84)
        #expect(WebTransportErrorCode.sessionGone == 0x170d_7b68)
    }
}
