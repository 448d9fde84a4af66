import Credentials
import NIOCore
import NIOEmbedded
import Testing

@testable import TLS

@Suite("TLS handler")
struct TLSHandlerTests {
    @Test(
        "A handshake negotiates the version and the protocol, in pieces of any size",
        arguments: [TLSVersion.tls12, .tls13],
        [1, 7, Int.max]
    )
    func handshake(version: TLSVersion, chunk: Int) throws {
        let pair = try TLSPair(maximumVersion: version)
        try pair.pump(chunk: chunk)
        let expected = TLSHandshakeCompleted(version: version, applicationProtocol: "http/1.1", isResumed: false)
        #expect(pair.client.recorder.handshake == expected)
        #expect(pair.server.recorder.handshake == expected)
        pair.client.write(ByteBuffer(string: "question"))
        pair.server.write(ByteBuffer(string: "answer"))
        try pair.pump(chunk: chunk)
        #expect(String(buffer: pair.server.recorder.received) == "question")
        #expect(String(buffer: pair.client.recorder.received) == "answer")
        #expect(pair.client.recorder.errors.isEmpty && pair.server.recorder.errors.isEmpty)
    }

    @Test("The server's order decides the protocol")
    func protocolOrder() throws {
        let pair = try TLSPair(serverProtocols: ["a", "b"], clientProtocols: ["b", "a"])
        try pair.pump()
        #expect(pair.client.recorder.handshake?.applicationProtocol == "a")
    }

    @Test("A client without ALPN is served, one with only other protocols is refused")
    func protocolMismatch() throws {
        let without = try TLSPair(clientProtocols: [])
        try without.pump()
        #expect(without.server.recorder.handshake != nil)
        #expect(without.server.recorder.handshake?.applicationProtocol == nil)

        let other = try TLSPair(clientProtocols: ["h9"])
        try other.pump()
        #expect(other.server.recorder.handshake == nil)
        #expect(other.client.recorder.errors.compactMap { ($0 as? TLSError)?.code } == [.alertReceived])
    }

    @Test("A mebibyte arrives whole both ways", arguments: [TLSVersion.tls12, .tls13])
    func large(version: TLSVersion) throws {
        let pair = try TLSPair(maximumVersion: version)
        try pair.pump()
        let bytes = ByteBuffer(bytes: (0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        pair.client.write(bytes)
        pair.server.write(bytes)
        try pair.pump(chunk: 5_000)
        #expect(pair.server.recorder.received == bytes)
        #expect(pair.client.recorder.received == bytes)
    }

    @Test("Small writes share a record, and each promise is kept when the record is written")
    func coalescing() throws {
        let pair = try TLSPair()
        try pair.pump()
        let futures = (0..<10).map { _ in pair.client.channel.write(ByteBuffer(string: "0123456789")) }
        #expect(try pair.client.takeOutput().readableBytes == 0)
        pair.client.channel.flush()
        let output = try pair.client.takeOutput()
        // One header of 5 bytes, one content type and one tag of 16 around 100 bytes.
        #expect(output.readableBytes == 100 + 5 + 1 + 16)
        for future in futures { try future.wait() }
        TLSPair.deliver(output, to: pair.server)
        #expect(pair.server.recorder.received.readableBytes == 100)
    }

    @Test("Bytes written before the handshake arrive after it, up to a bound")
    func early() throws {
        let pair = try TLSPair()
        let first = pair.client.channel.writeAndFlush(ByteBuffer(string: "early"))
        let tooMuch = pair.client.channel.writeAndFlush(ByteBuffer(repeating: 0, count: 1 << 20))
        #expect { try tooMuch.wait() } throws: { ($0 as? TLSError)?.code == .tooMuchBeforeHandshake }
        try pair.pump()
        try first.wait()
        #expect(String(buffer: pair.server.recorder.received) == "early")
    }

    @Test("close_notify ends the other side's input and both channels", arguments: [TLSVersion.tls12, .tls13])
    func closeNotify(version: TLSVersion) throws {
        let pair = try TLSPair(maximumVersion: version)
        try pair.pump()
        let write = pair.client.channel.writeAndFlush(ByteBuffer(string: "last words"))
        let close = pair.client.channel.close()
        try pair.pump()
        pair.client.channel.embeddedEventLoop.run()
        try write.wait()
        try close.wait()
        #expect(!pair.client.channel.isActive)
        #expect(String(buffer: pair.server.recorder.received) == "last words")
        #expect(pair.server.recorder.isInputClosed)
        #expect(!pair.server.channel.isActive)
        #expect(pair.client.recorder.errors.isEmpty && pair.server.recorder.errors.isEmpty)
    }

    @Test("Closing the output only lets the other side answer")
    func halfClose() throws {
        let pair = try TLSPair()
        try pair.pump()
        // The server's answer is already on its way when the client's close_notify comes.
        pair.server.write(ByteBuffer(string: "answer"))
        try pair.client.channel.close(mode: .output).wait()
        #expect { try pair.client.channel.writeAndFlush(ByteBuffer(string: "more")).wait() } throws: {
            ($0 as? ChannelError) == .outputClosed
        }
        try pair.pump()
        #expect(String(buffer: pair.client.recorder.received) == "answer")
        #expect(!pair.client.channel.isActive && !pair.server.channel.isActive)
        #expect(pair.client.recorder.errors.isEmpty && pair.server.recorder.errors.isEmpty)
    }

    @Test("What comes with close_notify in one read is dealt with, and answered, before the end")
    func closeNotifyInTheSameRead() throws {
        let pair = try TLSPair()
        try pair.pump()
        pair.client.write(ByteBuffer(string: "question"))
        pair.client.channel.close(mode: .output, promise: nil)
        pair.server.recorder.calls = []
        pair.server.recorder.answer = ByteBuffer(string: "answer")
        TLSPair.deliver(try pair.client.takeOutput(), to: pair.server)
        #expect(pair.server.recorder.calls == [.read, .readComplete, .inputClosed, .inactive])
        try pair.pump()
        #expect(String(buffer: pair.client.recorder.received) == "answer")
    }

    @Test("A channel is not closed in the middle of a read, be it by a record that is none or by a handler")
    func closeWithinRead() throws {
        for closesInRead in [true, false] {
            let pair = try TLSPair()
            try pair.pump()
            pair.server.recorder.calls = []
            pair.server.recorder.closesInRead = closesInRead
            pair.client.write(ByteBuffer(string: "question"))
            var bytes = try pair.client.takeOutput()
            if !closesInRead { bytes.writeBytes([0x17, 3, 3, 0, 20] + [UInt8](repeating: 0, count: 20)) }
            TLSPair.deliver(bytes, to: pair.server)
            let failure: [Recorder.Call] = closesInRead ? [] : [.error]
            #expect(pair.server.recorder.calls == [.read] + failure + [.readComplete, .inactive])
        }
    }

    @Test("A read that the end of the channel cuts short is completed first")
    func inactiveWithinRead() throws {
        let pair = try TLSPair()
        try pair.pump()
        pair.client.write(ByteBuffer(string: "question"))
        pair.server.recorder.calls = []
        // As NIO does when a reset comes behind the bytes.
        pair.server.channel.pipeline.fireChannelRead(try pair.client.takeOutput())
        pair.server.channel.pipeline.fireChannelInactive()
        #expect(pair.server.recorder.calls == [.read, .error, .readComplete, .inactive])
    }

    @Test("A connection that ends without close_notify is truncated")
    func truncated() throws {
        let pair = try TLSPair()
        try pair.pump()
        pair.server.channel.pipeline.fireChannelInactive()
        #expect(pair.server.recorder.errors.compactMap { ($0 as? TLSError)?.code } == [.truncated])
    }

    @Test("A server with another certificate is refused, with its fingerprint in the message")
    func fingerprintMismatch() throws {
        let other = try DevelopmentCertificate()
        let pair = try TLSPair(verification: .fingerprints([other.fingerprint]))
        try pair.pump()
        let error = try #require(pair.client.recorder.errors.first as? CredentialsError)
        #expect(error.code == .wrongFingerprint)
        #expect(error.message.contains("--hash \(pair.identities.current.fingerprint.hexadecimal)"))
        #expect(pair.client.recorder.handshake == nil)
        #expect(!pair.client.channel.isActive)
        #expect(pair.server.recorder.errors.compactMap { ($0 as? TLSError)?.code } == [.alertReceived])
    }

    @Test("A self-signed certificate is refused by system verification and accepted by none")
    func verification() throws {
        let system = try TLSPair(verification: .system)
        try system.pump()
        let error = try #require(system.client.recorder.errors.first as? CredentialsError)
        #expect(error.code == .untrusted)
        #expect(error.message.contains("--insecure"))

        let none = try TLSPair(verification: CertificateVerification.none)
        try none.pump()
        #expect(none.client.recorder.handshake != nil)
    }

    @Test(
        "Bytes that are no TLS end the connection with one error",
        arguments: [
            Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8),
            // A record that holds a ClientHello of one byte.
            [22, 3, 1, 0, 5, 1, 0, 0, 1, 0],
            [0, 0, 0, 0, 0, 0, 0, 0],
        ]
    )
    func garbage(bytes: [UInt8]) throws {
        let pair = try TLSPair()
        TLSPair.deliver(ByteBuffer(bytes: bytes), to: pair.server)
        #expect(pair.server.recorder.errors.compactMap { ($0 as? TLSError)?.code } == [.handshakeFailed])
        #expect(!pair.server.channel.isActive)
    }

    @Test("A record that was tampered with ends the connection")
    func tampered() throws {
        let pair = try TLSPair()
        try pair.pump()
        pair.client.write(ByteBuffer(string: "secret"))
        var record = try pair.client.takeOutput()
        let last = record.writerIndex - 1
        record.setInteger(record.getInteger(at: last, as: UInt8.self)! ^ 1, at: last)
        TLSPair.deliver(record, to: pair.server)
        #expect(pair.server.recorder.errors.compactMap { ($0 as? TLSError)?.code } == [.protocolViolation])
        #expect(pair.server.recorder.received.readableBytes == 0)
        #expect(!pair.server.channel.isActive)
    }

    @Test("A peer that does not finish the handshake is given up after the time-out")
    func handshakeTimeout() throws {
        let pair = try TLSPair()
        pair.server.channel.embeddedEventLoop.advanceTime(by: .seconds(9))
        #expect(pair.server.channel.isActive)
        pair.server.channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(pair.server.recorder.errors.compactMap { ($0 as? TLSError)?.code } == [.handshakeTimedOut])
        #expect(!pair.server.channel.isActive)
    }

    @Test("Nothing is read from the socket that no handler asked for, save for incomplete records")
    func readsAreWithheld() throws {
        let pair = try TLSPair()
        // EmbeddedChannel reads by itself on activation only when told to, so each read here is a handler's.
        try pair.pump()
        pair.client.write(ByteBuffer(repeating: 7, count: 100))
        let record = try pair.client.takeOutput()

        pair.server.channel.read()
        let before = pair.server.reads.reads
        var half = record
        let front = half.readSlice(length: 50)!
        TLSPair.deliver(front, to: pair.server)
        #expect(pair.server.reads.reads == before + 1)
        TLSPair.deliver(half, to: pair.server)
        #expect(pair.server.recorder.received.readableBytes == 100)
        #expect(pair.server.reads.reads == before + 1)
    }

    @Test("A connection keeps the identity that it began with; the next one gets the new one")
    func rotation() throws {
        let pair = try TLSPair()
        pair.identities.replace(with: try DevelopmentCertificate().makeIdentity())
        // The handler took its identity when it was made.
        try pair.pump()
        #expect(pair.client.recorder.handshake != nil)
    }
}
