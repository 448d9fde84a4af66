import HTTPSemantics
import NIOCore
import NIOEmbedded
import NIOHTTP2
import Testing

@testable import WebSocket

@Suite("Tunnels in streams of HTTP/2 (RFC 8441 § 5) [69]")
final class HTTP2TunnelTests {
    /// Notes what it is told.
    private final class User: TunnelUser {
        var wantsBytes = true
        var tunnel: (any Tunnel)?
        var portions: [ByteBuffer] = []
        var finishes = 0
        var closes = 0

        func begin(on tunnel: any Tunnel) { self.tunnel = tunnel }
        func received(_ bytes: ByteBuffer) { self.portions.append(bytes) }
        func peerFinished() { self.finishes += 1 }
        func writabilityChanged() {}
        func shutDown() {}
        func closed() { self.closes += 1 }
    }

    private let user = User()
    private let channel = EmbeddedChannel()

    private init() throws {
        try self.channel.connect(to: SocketAddress(unixDomainSocketPath: "/tunnel")).wait()
    }

    /// A channel, and a tunnel with its user, keep each other until somebody lets go.
    deinit {
        self.user.tunnel = nil
        _ = try? self.channel.finish()  // It may be closed already, but for the end of its turn.
        self.channel.embeddedEventLoop.run()
    }

    private func begin(isReceived: Bool = false) throws {
        try self.channel.pipeline.syncOperations.addHandler(HTTP2Tunnel(user: self.user, isReceived: isReceived))
        // What made the tunnel has been read.
        self.channel.pipeline.fireChannelReadComplete()
    }

    private func receive(_ bytes: ByteBuffer, padding: Int? = nil, isLast: Bool = false) throws {
        let data = HTTP2Frame.FramePayload.Data(
            data: .byteBuffer(bytes),
            endStream: isLast,
            paddingBytes: padding
        )
        try self.channel.writeInbound(HTTP2Frame.FramePayload.data(data))
    }

    /// What WINDOW_UPDATE frames have given back since the last call.
    private func credit() throws -> Int {
        var sum = 0
        while let payload = try self.channel.readOutbound(as: HTTP2Frame.FramePayload.self) {
            guard case .windowUpdate(let increment) = payload else { continue }
            sum += increment
        }
        return sum
    }

    @Test("The window is made as large as a session's buffer, and credit is returned as bytes are taken")
    func window() throws {
        try self.begin()
        #expect(try self.credit() == 262_144 - 65_535)
        let chunk = ByteBuffer(repeating: 1, count: 16_384)
        for _ in 0..<16 { try self.receive(chunk) }
        #expect(self.user.portions.count == 16)
        #expect(try self.credit() == 262_144)
    }

    @Test("Where the stream may have ended behind what is being read, nothing is written on it")
    func endInTheSameRead() throws {
        try self.begin()
        _ = try self.credit()
        let pipeline = self.channel.pipeline
        for isLast in [false, true] {
            let data = HTTP2Frame.FramePayload.Data(
                data: .byteBuffer(ByteBuffer(repeating: 1, count: 100_000)),
                endStream: isLast
            )
            pipeline.fireChannelRead(HTTP2Frame.FramePayload.data(data))
            #expect(try self.credit() == 0)
        }
        pipeline.fireChannelReadComplete()
        #expect(try self.credit() == 0)
        #expect(self.user.portions.map(\.readableBytes) == [100_000, 100_000])
        #expect(self.user.finishes == 1)
    }

    @Test("Bytes that nobody wants return no credit, and are kept as bytes in however many frames they came")
    func heldUp() throws {
        try self.begin()
        _ = try self.credit()
        self.user.wantsBytes = false
        for number in 0..<100_000 { try self.receive(ByteBuffer(integer: UInt8(truncatingIfNeeded: number))) }
        #expect(self.user.portions.isEmpty)
        #expect(try self.credit() == 0)
        self.user.wantsBytes = true
        self.user.tunnel?.resumeReading()
        #expect(self.user.portions.map(\.readableBytes) == [65_536, 34_464])
        #expect(self.user.portions.last?.readableBytesView.last == UInt8(truncatingIfNeeded: 99_999))
        #expect(try self.credit() == 100_000)
    }

    @Test("RFC 9113 § 6.9.1: padding and the byte that says how much are credit, too")
    func padding() throws {
        try self.begin()
        _ = try self.credit()
        for _ in 0..<512 { try self.receive(ByteBuffer(integer: UInt8(0)), padding: 126) }
        #expect(try self.credit() == 65_536)
    }

    @Test("The end of the peer's direction comes behind its bytes, when they have been taken")
    func end() throws {
        try self.begin()
        self.user.wantsBytes = false
        try self.receive(ByteBuffer(string: "last"), isLast: true)
        #expect(self.user.finishes == 0)
        self.user.wantsBytes = true
        self.user.tunnel?.resumeReading()
        self.user.tunnel?.resumeReading()
        #expect(self.user.portions == [ByteBuffer(string: "last")])
        #expect(self.user.finishes == 1)
    }

    @Test("A direction that ended with the request is told at once")
    func endWithRequest() throws {
        try self.begin(isReceived: true)
        #expect(self.user.finishes == 1)
    }

    @Test("finish sends END_STREAM once, and nothing behind it")
    func finish() throws {
        try self.begin()
        _ = try self.credit()
        self.user.tunnel?.write(ByteBuffer(string: "a"))
        self.user.tunnel?.finish()
        self.user.tunnel?.finish()
        self.user.tunnel?.write(ByteBuffer(string: "b"))
        self.user.tunnel?.flush()
        var sent: [(String, Bool)] = []
        while let payload = try self.channel.readOutbound(as: HTTP2Frame.FramePayload.self) {
            guard case .data(let data) = payload, case .byteBuffer(let bytes) = data.data else { continue }
            sent.append((String(buffer: bytes), data.endStream))
        }
        #expect(sent.map(\.0) == ["a", ""] && sent.map(\.1) == [false, true])
    }

    @Test("A stream that is gone tells its user once")
    func closed() throws {
        try self.begin()
        self.user.tunnel?.abort()
        self.user.tunnel?.abort()
        _ = try? self.channel.finish()  // It is closed already.
        #expect(self.user.closes == 1)
    }
}
