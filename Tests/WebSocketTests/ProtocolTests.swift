import HTTPTypes
import NIOCore
import NIOWebSocket
import Testing

@testable import WebSocket

@Suite("Opening handshake")
struct OpeningHandshakeTests {
    private static func request(_ change: (inout HTTPFields) -> Void = { _ in }) -> HTTPRequest {
        var request = HTTPRequest(method: .get, scheme: "http", authority: "a", path: "/")
        request.headerFields = [
            .upgrade: "WebSocket", .connection: "keep-alive, Upgrade", .secWebSocketVersion: "13",
            .secWebSocketKey: "dGhlIHNhbXBsZSBub25jZQ==",
        ]
        change(&request.headerFields)
        return request
    }

    @Test("The RFC's own example (RFC 6455 § 1.3)")
    func vector() throws {
        let request = Self.request { $0[.secWebSocketProtocol] = "chat , superchat" }
        #expect(OpeningHandshake.isRequested(by: request))
        let offer = try OpeningHandshake.validate(request, over: .http1)
        #expect(offer.accept == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        #expect(offer.subprotocols == ["chat", "superchat"])
    }

    @Test("A request without both fields asks for no WebSocket")
    func notRequested() {
        #expect(!OpeningHandshake.isRequested(by: Self.request { $0[.upgrade] = "h2c" }))
        #expect(!OpeningHandshake.isRequested(by: Self.request { $0[.connection] = "keep-alive" }))
    }

    @Test(
        "Keys that are not 16 bytes in base64 are refused",
        arguments: ["", "dGhlIHNhbXBsZQ==", "dGhlIHNhbXBsZSBub25jZ!=="]
    )
    func keys(key: String) {
        #expect(throws: OpeningHandshake.Refusal.self) {
            try OpeningHandshake.validate(Self.request { $0[.secWebSocketKey] = key }, over: .http1)
        }
    }

    @Test(
        "An extended CONNECT needs no key and gets no answer to it (RFC 8441 § 5)",
        arguments: [WebSocketMapping.http2, .http3]
    )
    func extendedConnect(mapping: WebSocketMapping) throws {
        var request = HTTPRequest(method: .connect, scheme: "https", authority: "a", path: "/")
        request.headerFields = [.secWebSocketVersion: "13", .secWebSocketProtocol: "chat"]
        let offer = try OpeningHandshake.validate(request, over: mapping)
        #expect(offer.accept == nil)
        #expect(offer.subprotocols == ["chat"])
    }

    @Test("Another version is refused with the one that is spoken; Upgrade is HTTP/1.1's (RFC 6455 § 4.4)")
    func versions() {
        let request = Self.request { $0[.secWebSocketVersion] = "12" }
        let upgrade = #expect(throws: OpeningHandshake.Refusal.self) {
            try OpeningHandshake.validate(request, over: .http1)
        }
        #expect(upgrade?.status == .upgradeRequired)
        #expect(upgrade?.fields == [.secWebSocketVersion: "13", .upgrade: "websocket"])
        let extended = #expect(throws: OpeningHandshake.Refusal.self) {
            try OpeningHandshake.validate(request, over: .http2)
        }
        #expect(extended?.status == .badRequest)
        #expect(extended?.fields == [.secWebSocketVersion: "13"])
    }

    @Test("An answer that does not fit the request is refused")
    func answers() throws {
        let good: HTTPFields = [
            .upgrade: "websocket", .connection: "Upgrade", .secWebSocketAccept: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            .secWebSocketProtocol: "a",
        ]
        func validate(
            _ compression: WebSocketCompression? = nil,
            _ change: (inout HTTPFields) -> Void
        ) throws -> OpeningHandshake.Agreement {
            var fields = good
            change(&fields)
            let response = HTTPResponse(status: .switchingProtocols, headerFields: fields)
            try OpeningHandshake.validateUpgrade(response, key: "dGhlIHNhbXBsZSBub25jZQ==")
            return try OpeningHandshake.agreement(
                of: response,
                offered: ["a"],
                compression: compression
            )
        }
        #expect(try validate { _ in }.subprotocol == "a")
        #expect(try validate { $0[.secWebSocketProtocol] = nil }.subprotocol == nil)
        #expect(throws: WebSocketError.self) { try validate { $0[.secWebSocketProtocol] = "b" } }
        #expect(throws: WebSocketError.self) { try validate { $0[.secWebSocketAccept] = "x" } }
        #expect(throws: WebSocketError.self) { try validate { $0[.upgrade] = nil } }
        #expect(throws: WebSocketError.self) { try validate { $0[.connection] = "close" } }
        #expect(throws: WebSocketError.self) { try validate { $0[.secWebSocketExtensions] = "permessage-deflate" } }
        var compression = WebSocketCompression()
        compression.receiveWindowBits = 15
        #expect(try validate(compression) { _ in }.compression == nil)
        let agreed = try validate(compression) { $0[.secWebSocketExtensions] = "permessage-deflate" }
        #expect(agreed.compression != nil && agreed.extensions == "permessage-deflate")
        for answer in ["permessage-deflate;", "permessage-deflate, permessage-deflate", "x-deflate"] {
            #expect(throws: WebSocketError.self) { try validate(compression) { $0[.secWebSocketExtensions] = answer } }
        }
    }
}

@Suite("Frames and their payloads [68]")
struct FrameTests {
    @Test("Masking twice is none, at every length and offset", arguments: 0..<20)
    func masking(length: Int) {
        let key: WebSocketMaskingKey = [1, 2, 3, 4]
        let plain = ByteBuffer(bytes: (0..<UInt8(length)).map { $0 &* 11 })
        for offset in 0...min(length, 5) {
            var fast = plain
            fast.applyMask(key, from: offset)
            // NIOWebSocket's own, a byte at a time.
            var slow = plain.getSlice(at: plain.readerIndex + offset, length: length - offset)!
            slow.webSocketMask(key)
            #expect(fast.getSlice(at: fast.readerIndex + offset, length: length - offset) == slow)
            fast.applyMask(key, from: offset)
            #expect(fast == plain)
        }
    }

    @Test("Lengths take the shortest form", arguments: [(125, 2), (126, 4), (65_535, 4), (65_536, 10)])
    func lengths(length: Int, header: Int) {
        var buffer = ByteBuffer()
        FrameEncoder(role: .server).write(.binary, ByteBuffer(repeating: 0, count: length), into: &buffer)
        #expect(buffer.readableBytes == header + length)
        buffer.clear()
        FrameEncoder(role: .client).write(.binary, ByteBuffer(repeating: 0, count: length), into: &buffer)
        #expect(buffer.readableBytes == header + 4 + length)
    }

    @Test("The RFC's examples (RFC 6455 § 5.7)")
    func vectors() {
        var buffer = ByteBuffer()
        FrameEncoder(role: .server).write(text: "Hello", into: &buffer)
        #expect(buffer == ByteBuffer(bytes: [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]))
        var masked = ByteBuffer(bytes: [0x7f, 0x9f, 0x4d, 0x51, 0x58])
        masked.applyMask([0x37, 0xfa, 0x21, 0x3d])
        #expect(masked == ByteBuffer(string: "Hello"))
    }

    @Test(
        "UTF-8 is judged as the standard library does, at every split",
        arguments: [
            "", "abc", "gr\u{fc}\u{df}e", "\u{20ac}", "\u{1f600}", "\u{d7ff}\u{e000}\u{10ffff}",
        ]
    )
    func validText(text: String) {
        let bytes = Array(text.utf8)
        for split in 0...bytes.count {
            var validator = UTF8Validator()
            #expect(validator.append(bytes[..<split]) && validator.append(bytes[split...]) && validator.isComplete)
        }
    }

    @Test("Every sequence of three bytes is judged as the standard library does")
    func everyTriple() {
        // The interesting boundaries of each class of byte.
        let bytes: [UInt8] = [
            0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef,
            0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
        ]
        for first in bytes {
            for second in bytes {
                for third in bytes {
                    let text = [first, second, third]
                    var validator = UTF8Validator()
                    let isValid = validator.append(text) && validator.isComplete
                    #expect(isValid == (String(validating: text, as: UTF8.self) != nil), "\(text)")
                }
            }
        }
    }
}

@Suite("Closing state machine")
struct ClosingStateMachineTests {
    @Test("We close, the peer answers")
    func localFirst() {
        var machine = ClosingStateMachine()
        #expect(machine.localClose() == .sendClose)
        let isOpen = machine.isOpen
        #expect(!isOpen)
        #expect(machine.localClose() == .nothing)
        #expect(machine.connectionLost().code == .abnormal)
        #expect(machine.peerClosed(.normal, reason: "r") == .endConnection)
        #expect(machine.connectionLost() == WebSocketClose(code: .normal, reason: "r", wasClean: true))
    }

    @Test("The peer closes, we answer")
    func peerFirst() {
        var machine = ClosingStateMachine()
        #expect(machine.peerClosed(4000, reason: "r") == .answer)
        #expect(machine.localClose() == .nothing)
        #expect(machine.peerClosed(.normal, reason: "") == .nothing)
        #expect(machine.connectionLost() == WebSocketClose(code: 4000, reason: "r", wasClean: true))
    }

    @Test("A broken rule ends the session whatever follows")
    func violation() {
        var machine = ClosingStateMachine()
        let violation = WebSocketViolation(code: .protocolError, reason: "r")
        #expect(machine.peerBrokeRule(violation) == .sendClose)
        #expect(machine.peerBrokeRule(violation) == .nothing)
        #expect(machine.peerClosed(.normal, reason: "") == .nothing)
        #expect(machine.localClose() == .nothing)
        #expect(machine.connectionLost() == WebSocketClose(code: .protocolError, reason: "r", wasClean: false))
    }

    @Test("A broken rule after our Close frame ends the connection without another")
    func violationWhileClosing() {
        var machine = ClosingStateMachine()
        #expect(machine.localClose() == .sendClose)
        #expect(machine.peerBrokeRule(WebSocketViolation(code: .protocolError, reason: "")) == .endConnection)
    }
}
