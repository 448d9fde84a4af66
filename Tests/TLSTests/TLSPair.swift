import Credentials
import NIOCore
import NIOEmbedded
import Testing

@testable import TLS

/// What arrives at the handlers behind TLS.
final class Recorder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    var received = ByteBuffer()
    var reads = 0
    var handshake: TLSHandshakeCompleted?
    var isInputClosed = false
    var errors: [any Error] = []
    /// Calls in their order.
    var calls: [Call] = []
    /// Closes the channel from within a read.
    var closesInRead = false
    /// Written at the end of the next read, as by handlers that gather what they were asked.
    var answer: ByteBuffer?

    enum Call { case read, readComplete, inputClosed, error, inactive }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.calls.append(.readComplete)
        if let answer = self.answer.take() { context.writeAndFlush(NIOAny(answer), promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.calls.append(.inactive)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.reads += 1
        self.calls.append(.read)
        if self.closesInRead { context.close(promise: nil) }
        self.received.writeImmutableBuffer(self.unwrapInboundIn(data))
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let handshake = event as? TLSHandshakeCompleted { self.handshake = handshake }
        if case .inputClosed? = event as? ChannelEvent {
            self.isInputClosed = true
            self.calls.append(.inputClosed)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.errors.append(error)
        self.calls.append(.error)
    }
}

/// Counts the reads that reach the socket.
final class ReadCounter: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    var reads = 0

    func read(context: ChannelHandlerContext) {
        self.reads += 1
        context.read()
    }
}

/// One end of a connection in memory; it is closed when the test lets go of it.
final class End {
    let channel: EmbeddedChannel
    let recorder = Recorder()
    let reads = ReadCounter()

    init(_ handler: TLSHandler) throws {
        self.channel = EmbeddedChannel()
        let operations = self.channel.pipeline.syncOperations
        try operations.addHandlers([self.reads, handler, self.recorder])
    }

    deinit {
        // What is left over, or was an error, is the test's business and not this clean-up's.
        _ = try? self.channel.finish(acceptAlreadyClosed: true)
        self.channel.embeddedEventLoop.advanceTime(by: .seconds(10))
    }

    func activate() throws {
        try self.channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    func takeOutput() throws -> ByteBuffer {
        var all = ByteBuffer()
        while let part = try self.channel.readOutbound(as: ByteBuffer.self) { all.writeImmutableBuffer(part) }
        return all
    }

    func write(_ bytes: ByteBuffer) {
        self.channel.writeAndFlush(bytes, promise: nil)
    }
}

/// A client and a server whose bytes are carried by the test.
struct TLSPair {
    static let applicationProtocol = "http/1.1"

    let identities: IdentityStore
    let client: End
    let server: End

    init(
        verification: CertificateVerification? = nil,
        serverProtocols: [String] = [applicationProtocol],
        clientProtocols: [String] = [applicationProtocol],
        maximumVersion: TLSVersion = .tls13,
        identities: IdentityStore? = nil,
        tickets: SessionTicketKey? = nil,
        store: ResumptionStore? = nil
    ) throws {
        self.identities = try identities ?? IdentityStore(DevelopmentCertificate().makeIdentity())
        let fingerprint = self.identities.current.fingerprint
        var client = try TLSClientConfiguration(
            credentials: ClientCredentials(verification: verification ?? .fingerprints([fingerprint])),
            serverName: "localhost",
            applicationProtocols: clientProtocols,
            maximumVersion: maximumVersion
        )
        client.resumption = store.map { .init(store: $0, port: 443) }
        self.client = try End(TLSHandler(client: client))
        self.server = try End(
            TLSHandler(
                server: TLSServerConfiguration(
                    identities: self.identities,
                    tickets: tickets ?? SessionTicketKey(),
                    applicationProtocols: serverProtocols
                )
            )
        )
        try self.server.activate()
        try self.client.activate()
    }

    /// Carries bytes both ways until neither side has any.
    func pump(chunk: Int = .max) throws {
        while true {
            let up = try self.client.takeOutput()
            let down = try self.server.takeOutput()
            if up.readableBytes == 0 && down.readableBytes == 0 { return }
            Self.deliver(up, to: self.server, chunk: chunk)
            Self.deliver(down, to: self.client, chunk: chunk)
        }
    }

    static func deliver(_ bytes: ByteBuffer, to end: End, chunk: Int = .max) {
        var bytes = bytes
        while bytes.readableBytes > 0 {
            // The length is at most what is readable.
            let part = bytes.readSlice(length: min(chunk, bytes.readableBytes))!
            end.channel.pipeline.fireChannelRead(part)
            end.channel.pipeline.fireChannelReadComplete()
            end.channel.embeddedEventLoop.run()
        }
    }
}
