import HTTPTypes
import NIOCore
import Testing

@testable import HTTP3

@Suite("HTTP/3 between two connections in memory")
struct HTTP3ConnectionTests {
    static let chunkSizes = [1, 7, Int.max]

    private static func get(_ path: String?, method: HTTPRequest.Method = .get) -> HTTPRequest {
        HTTPRequest(method: method, scheme: "https", authority: "example.org", path: path)
    }

    @Test(
        "SETTINGS comes first and says each of WebTransport's settings exactly once, with 1",
        arguments: [true, false]
    )
    func settings(isServer: Bool) throws {
        let pair = try HTTP3Pair()
        try pair.run()
        var control = try #require(isServer ? pair.fromServer[3] : pair.fromClient[2])
        let header = control.readInteger(as: UInt16.self)
        #expect(header == 0x0004)
        let length = control.readEncodedInteger(as: Int.self, strategy: .quic)
        var payload = control.readSlice(length: length ?? 0)
        let read = payload?.readSettings()
        let settings = try #require(read)
        for identifier in [0x08, 0x33, 0x2b60_3742, 0xc671_706a, 0x14e9_cd29] as [UInt64] {
            let values = settings.filter { $0.identifier.rawValue == identifier }.map(\.value)
            #expect(values == [1], "setting 0x\(String(identifier, radix: 16))")
        }
        #expect(Set(settings.map(\.identifier)).count == settings.count)
    }

    @Test("A GET and its answer with a body arrive whole (RFC 9114 § 4.1)", arguments: chunkSizes)
    func get(chunkSize: Int) throws {
        let pair = try HTTP3Pair(chunkSize: chunkSize)
        var request = Self.get("/a?b=c")
        request.headerFields[.init("x-token")!] = "secret"
        try pair.client.submit(request, on: 0, isFinal: true)
        try pair.run()
        #expect(pair.serverEvents.requests.map(\.1) == [request])
        #expect(pair.serverEvents.ended(0))

        let response = HTTPResponse(status: .ok, headerFields: [.contentType: "text/plain", .contentLength: "5"])
        try pair.server.submit(response, on: 0, isFinal: false)
        pair.server.send(ByteBuffer(string: "he"), on: 0)
        try pair.run()
        #expect(!pair.clientEvents.ended(0))
        pair.server.send(ByteBuffer(string: "llo"), on: 0, isFinal: true)
        try pair.run()
        #expect(pair.clientEvents.responses.map(\.1) == [response])
        #expect(pair.clientEvents.data(of: 0) == ByteBuffer(string: "hello"))
        #expect(pair.clientEvents.ended(0))
    }

    @Test("All bytes of a stream come back as credit: headers, field sections and data (RFC 9000 § 4)")
    func credit() throws {
        let pair = try HTTP3Pair(chunkSize: 7)
        try pair.client.submit(Self.get("/", method: .post), on: 0, isFinal: false)
        pair.client.send(ByteBuffer(repeating: 1, count: 10_000), on: 0, isFinal: true)
        try pair.run()
        try pair.server.submit(HTTPResponse(status: .noContent), on: 0, isFinal: true)
        try pair.run()
        #expect(pair.creditAtServer[0] == pair.fromClient[0]?.readableBytes)
        #expect(pair.creditAtClient[0] == pair.fromServer[0]?.readableBytes)
    }

    @Test("An answer to HEAD has the length of a body and none (RFC 9110 § 9.3.2)", arguments: chunkSizes)
    func head(chunkSize: Int) throws {
        let pair = try HTTP3Pair(chunkSize: chunkSize)
        try pair.client.submit(Self.get("/", method: .head), on: 0, isFinal: true)
        try pair.run()
        #expect(pair.serverEvents.requests.first?.1.method == .head)
        try pair.server.submit(HTTPResponse(status: .ok, headerFields: [.contentLength: "5"]), on: 0, isFinal: true)
        try pair.run()
        #expect(pair.clientEvents.responses.first?.1.headerFields[.contentLength] == "5")
        #expect(pair.clientEvents.data(of: 0).readableBytes == 0)
        #expect(pair.clientEvents.ended(0))
        #expect(pair.clientEvents.demands(of: 0) == (nil, nil))
    }

    @Test(
        "Extended CONNECT carries :protocol and data both ways until each end finishes (RFC 9220)",
        arguments: chunkSizes
    )
    func extendedConnect(chunkSize: Int) throws {
        let pair = try HTTP3Pair(chunkSize: chunkSize)
        try pair.run()
        var request = Self.get("/echo", method: .connect)
        request.extendedConnectProtocol = "webtransport"
        try pair.client.submit(request, on: 0, isFinal: false)
        pair.client.send(ByteBuffer(string: "early"), on: 0)
        try pair.run()
        #expect(pair.serverEvents.requests.map(\.1) == [request])
        #expect(pair.serverEvents.requests.first?.1.extendedConnectProtocol == "webtransport")
        #expect(pair.serverEvents.data(of: 0) == ByteBuffer(string: "early"))
        #expect(!pair.serverEvents.ended(0))

        try pair.server.submit(HTTPResponse(status: .ok), on: 0, isFinal: false)
        pair.server.send(ByteBuffer(string: "down"), on: 0, isFinal: true)
        try pair.run()
        #expect(pair.clientEvents.responses.first?.1.status == .ok)
        #expect(pair.clientEvents.data(of: 0) == ByteBuffer(string: "down"))
        #expect(pair.clientEvents.ended(0))
        // The other direction is still open.
        pair.client.send(ByteBuffer(string: " late"), on: 0, isFinal: true)
        try pair.run()
        #expect(pair.serverEvents.data(of: 0) == ByteBuffer(string: "early late"))
        #expect(pair.serverEvents.ended(0))
    }

    @Test("A header section larger than we say we take is reported without its fields (RFC 9114 § 4.2.2)")
    func fieldsTooLarge() throws {
        let pair = try HTTP3Pair()
        var request = Self.get("/")
        for number in 0..<20 { request.headerFields[.init("x-\(number)")!] = String(repeating: "a", count: 4_000) }
        try pair.client.submit(request, on: 0, isFinal: true)
        try pair.run()
        #expect(pair.serverEvents.requests.isEmpty)
        #expect(pair.serverEvents.contains { if case .fieldsTooLarge(0) = $0 { true } else { false } })
        // The connection goes on.
        try pair.client.submit(Self.get("/"), on: 4, isFinal: true)
        try pair.run()
        #expect(pair.serverEvents.requests.map(\.0) == [4])
    }

    @Test("Interim responses are not the answer (RFC 9114 § 4.1)")
    func informational() throws {
        let pair = try HTTP3Pair()
        try pair.client.submit(Self.get("/"), on: 0, isFinal: true)
        try pair.run()
        // HEADERS with :status 103, from the static table, then HEADERS with :status 200.
        let frames: [UInt8] = [0x01, 0x03, 0x00, 0x00, 0xc0 | 24, 0x01, 0x03, 0x00, 0x00, 0xc0 | 25]
        try pair.deliver(ByteBuffer(bytes: frames), on: 0, isFinal: true, toServer: false)
        #expect(pair.clientEvents.responses.map(\.1.status.code) == [200])
    }

    /// A HEADERS frame with a GET for `/`, whose fields all come from the static table (RFC 9204 § A).
    private static let getFrame: [UInt8] = [0x01, 0x08, 0x00, 0x00, 0xd1, 0xd7, 0xc1, 0x50, 0x01, 0x61]

    @Test("Trailers end a message and are not mistaken for its header section (RFC 9114 § 4.1)", arguments: chunkSizes)
    func trailers(chunkSize: Int) throws {
        let pair = try HTTP3Pair(chunkSize: chunkSize)
        try pair.run()
        // A literal field line with a literal name: x-a: 1.
        let trailers: [UInt8] = [0x01, 0x08, 0x00, 0x00, 0x23, 0x78, 0x2d, 0x61, 0x01, 0x31]
        let bytes = Self.getFrame + [0x00, 0x02, 0x68, 0x69] + trailers
        try pair.deliver(ByteBuffer(bytes: bytes), on: 0, isFinal: true, toServer: true)
        #expect(
            pair.serverEvents.requests.map(\.1) == [.init(method: .get, scheme: "https", authority: "a", path: "/")]
        )
        #expect(pair.serverEvents.data(of: 0) == ByteBuffer(string: "hi"))
        #expect(pair.serverEvents.ended(0))
        #expect(pair.serverEvents.demands(of: 0) == (nil, nil))
    }

    @Test(
        "A malformed request is given up with H3_MESSAGE_ERROR, and others go on (RFC 9114 § 4.1.2)",
        arguments: chunkSizes
    )
    func malformed(chunkSize: Int) throws {
        let pair = try HTTP3Pair(chunkSize: chunkSize)
        try pair.client.submit(Self.get(nil), on: 0, isFinal: true)
        try pair.run()
        #expect(pair.serverEvents.requests.isEmpty)
        #expect(pair.serverEvents.demands(of: 0) == (0x10e, 0x10e))
        try pair.client.submit(Self.get("/"), on: 4, isFinal: true)
        try pair.run()
        #expect(pair.serverEvents.requests.map(\.0) == [4])
    }

    @Test("A method that is no token is malformed too (RFC 9110 § 9.1)")
    func badMethod() throws {
        let pair = try HTTP3Pair()
        try pair.run()
        // :method "G T" by name reference, then scheme, path and authority as above.
        let section: [UInt8] = [0x00, 0x00, 0x5f, 0x00, 0x03, 0x47, 0x20, 0x54, 0xd7, 0xc1, 0x50, 0x01, 0x61]
        let frame = [0x01, UInt8(section.count)] + section
        try pair.deliver(ByteBuffer(bytes: frame), on: 0, isFinal: true, toServer: true)
        #expect(pair.serverEvents.requests.isEmpty)
        #expect(pair.serverEvents.demands(of: 0) == (0x10e, 0x10e))
    }

    @Test("GOAWAY is reported (RFC 9114 § 5.2), and requests under way still end")
    func goaway() throws {
        let pair = try HTTP3Pair()
        try pair.client.submit(Self.get("/"), on: 0, isFinal: true)
        try pair.run()
        try pair.server.announceShutdown()
        try pair.run()
        #expect(pair.clientEvents.contains { if case .goaway = $0 { true } else { false } })
        try pair.server.submit(HTTPResponse(status: .noContent), on: 0, isFinal: true)
        try pair.run()
        #expect(pair.clientEvents.ended(0))
    }

    @Test("A body comes out in pieces, which are small when the transport wants little of each stream")
    func pieces() throws {
        let pair = try HTTP3Pair()
        try pair.client.submit(Self.get("/"), on: 0, isFinal: true)
        try pair.run()
        try pair.server.submit(HTTPResponse(status: .ok), on: 0, isFinal: false)
        let body = ByteBuffer(bytes: (0..<200_000).map { UInt8(truncatingIfNeeded: $0 / 7) })
        pair.server.send(body, on: 0, isFinal: true)

        var whole = ByteBuffer()
        var isFinal = false
        for (isSmall, limit) in [(true, 8 << 10), (false, 64 << 10), (true, 8 << 10)] {
            let output = try #require(try pair.server.nextOutput(inSmallPieces: isSmall))
            #expect((limit / 2...limit).contains(output.bytes.readableBytes))
            whole.writeImmutableBuffer(output.bytes)
        }
        while let output = try pair.server.nextOutput() {
            whole.writeImmutableBuffer(output.bytes)
            isFinal = output.isFinal
        }
        #expect(isFinal)
        try pair.deliver(whole, on: 0, isFinal: true, toServer: false)
        #expect(pair.clientEvents.data(of: 0) == body)
    }

    @Test("A mebibyte arrives in order though its stream is blocked again and again", arguments: [1000, Int.max])
    func blocking(chunkSize: Int) throws {
        let pair = try HTTP3Pair(chunkSize: chunkSize)
        try pair.client.submit(Self.get("/"), on: 0, isFinal: true)
        try pair.run()
        try pair.server.submit(HTTPResponse(status: .ok), on: 0, isFinal: false)
        var expected = ByteBuffer()
        for number in 0..<64 {
            let chunk = ByteBuffer(bytes: (0..<16_384).map { UInt8(truncatingIfNeeded: $0 &+ number) })
            expected.writeImmutableBuffer(chunk)
            pair.server.block(0)
            let before = pair.clientEvents.data(of: 0).readableBytes
            pair.server.send(chunk, on: 0, isFinal: number == 63)
            try pair.run()
            #expect(pair.clientEvents.data(of: 0).readableBytes == before)
            pair.server.unblock(0)
            try pair.run()
        }
        #expect(pair.clientEvents.data(of: 0) == expected)
        #expect(pair.clientEvents.ended(0))
    }

    @Test("What is sent without a message, after its end, or after the peer's stop goes nowhere")
    func dropped() throws {
        let pair = try HTTP3Pair()
        pair.server.send(ByteBuffer(string: "x"), on: 0)
        try pair.client.submit(Self.get("/"), on: 0, isFinal: true)
        try pair.client.submit(Self.get("/"), on: 4, isFinal: true)
        try pair.run()
        try pair.server.submit(HTTPResponse(status: .noContent), on: 0, isFinal: true)
        pair.server.send(ByteBuffer(string: "x"), on: 0)
        try pair.server.submit(HTTPResponse(status: .ok), on: 4, isFinal: false)
        try pair.run()
        pair.server.stopWriting(4)
        pair.server.send(ByteBuffer(string: "x"), on: 4)
        try pair.run()
        #expect(pair.clientEvents.data(of: 0).readableBytes == 0)
        #expect(pair.clientEvents.data(of: 4).readableBytes == 0)
    }

    @Test("A critical stream that closes ends the connection with H3_CLOSED_CRITICAL_STREAM (RFC 9114 § 6.2.1)")
    func criticalStream() throws {
        let pair = try HTTP3Pair()
        try pair.run()
        let error = #expect(throws: HTTP3Error.self) {
            try pair.server.streamClosed(2, code: .h3NoError)
        }
        #expect(error?.code.rawValue == 0x104)
    }

    @Test(
        "A control stream that breaks the rules ends the connection (RFC 9114 § 6.2.1, § 7.2.4)",
        arguments: [
            // Not SETTINGS first; a second SETTINGS; a setting of HTTP/2; DATA.
            ([0x00, 0x07, 0x01, 0x00], 0x10a),
            ([0x00, 0x04, 0x00, 0x04, 0x00], 0x105),
            ([0x00, 0x04, 0x02, 0x02, 0x01], 0x109),
            ([0x00, 0x04, 0x00, 0x00, 0x00], 0x105),
        ] as [([UInt8], UInt64)]
    )
    func controlStream(bytes: [UInt8], code: UInt64) throws {
        let pair = try HTTP3Pair()
        let error = #expect(throws: HTTP3Error.self) {
            try pair.deliver(ByteBuffer(bytes: bytes), on: 2, toServer: true)
        }
        #expect(error?.code.rawValue == code)
    }

    @Test(
        "A PRIORITY_UPDATE may come in pieces of any size, and its credit is returned (RFC 9218 § 7.2)",
        arguments: 1...9
    )
    func priorityUpdate(chunkSize: Int) throws {
        let pair = try HTTP3Pair(chunkSize: chunkSize)
        try pair.run()
        let before = try #require(pair.creditAtServer[2])
        // The stream 0 becomes urgent. Its ID has two bytes, which is one more than it needs.
        let update: [UInt8] = [0x80, 0x0f, 0x07, 0x00, 0x05, 0x40, 0x00] + Array("u=1".utf8)
        try pair.deliver(ByteBuffer(bytes: update + update), on: 2, toServer: true)
        #expect(pair.creditAtServer[2] == before + 2 * update.count)
    }

    @Test(
        "A PRIORITY_UPDATE that ends within its ID is H3_FRAME_ERROR, whole or in pieces",
        arguments: [1, 3, Int.max]
    )
    func cutPriorityUpdate(chunkSize: Int) throws {
        let pair = try HTTP3Pair(chunkSize: chunkSize)
        try pair.run()
        let error = #expect(throws: HTTP3Error.self) {
            try pair.deliver(ByteBuffer(bytes: [0x80, 0x0f, 0x07, 0x00, 0x01, 0xc0, 0x00]), on: 2, toServer: true)
        }
        #expect(error?.code == .frameError)
    }
}
