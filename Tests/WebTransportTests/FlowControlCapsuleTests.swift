import HTTP3
import NIOCore
import QUIC
import Testing
import WebTransportCore

@testable import WebTransport

@Suite("Capsules of flow control, and numbers that two modules know")
struct FlowControlCapsuleTests {
    private static let vectors: [(SessionFlowControl.Message, [UInt8])] = [
        (.maxData(1), [0x99, 0x0b, 0x4d, 0x3d, 0x01, 0x01]),
        (.maxStreams(.bidirectional, 64), [0x99, 0x0b, 0x4d, 0x3f, 0x02, 0x40, 0x40]),
        (.maxStreams(.unidirectional, 0), [0x99, 0x0b, 0x4d, 0x40, 0x01, 0x00]),
        (.dataBlocked(63), [0x99, 0x0b, 0x4d, 0x41, 0x01, 0x3f]),
        (.streamsBlocked(.bidirectional, 2), [0x99, 0x0b, 0x4d, 0x43, 0x01, 0x02]),
        (.streamsBlocked(.unidirectional, 3), [0x99, 0x0b, 0x4d, 0x44, 0x01, 0x03]),
    ]

    @Test("They travel as one integer under their type (draft-16 § 5.6)")
    func vectors() throws {
        for (message, bytes) in Self.vectors {
            let capsule = Capsule(message)
            #expect(capsule.encoded == ByteBuffer(bytes: bytes))
            #expect(try SessionFlowControl.Message(capsule) == message)
            #expect(CapsuleType.flowControl.contains(capsule.type))
        }
        #expect(CapsuleType.flowControl.count == Self.vectors.count)
        #expect(try SessionFlowControl.Message(Capsule(.drainSession)) == nil)
    }

    @Test(
        "Anything but one integer is malformed (RFC 9297 § 3.3)",
        arguments: [[], [0x40], [0x01, 0x02]] as [[UInt8]]
    )
    func malformed(payload: [UInt8]) {
        for type in CapsuleType.flowControl {
            let error = #expect(throws: HTTP3Error.self) {
                try SessionFlowControl.Message(Capsule(type, payload: ByteBuffer(bytes: payload)))
            }
            #expect(error?.code == .messageError)
        }
    }

    @Test("HTTP/3 and WebTransport mean the same settings by the same names")
    func settings() {
        #expect(SettingIdentifier.enableConnectProtocol.rawValue == Setting.Identifier.enableConnectProtocol.rawValue)
        #expect(SettingIdentifier.h3Datagram.rawValue == Setting.Identifier.h3Datagram.rawValue)
    }

    @Test("The limits of all sessions fit those of their connection", arguments: [2, 4, 16, 100])
    func shares(sessions: Int) throws {
        var options = TransportOptions()
        options.maxSessionsPerConnection = sessions
        let (offer, quic) = (options.offer, options.quic)
        #expect(offer.maxSessions == min(sessions, 16))
        let limits = try #require(offer.sessionLimits)
        let count = UInt64(offer.maxSessions)
        #expect(limits.data * count < quic.maxConnectionData)
        #expect(limits.bidirectionalStreams * count < quic.maxStreams)
        #expect(limits.unidirectionalStreams * count < quic.maxStreams)
    }

    @Test("One session is offered by default, and whoever asks for less gets that", arguments: [-1, 0, 1])
    func oneSession(sessions: Int) {
        var options = TransportOptions()
        #expect(options.offer == .oneSession)
        options.maxSessionsPerConnection = sessions
        #expect(options.offer == .oneSession)
        #expect(options.quic.maxConnectionData == TransportConfiguration().maxConnectionData)
        #expect(options.quic.maxStreams == 1024)
    }
}
