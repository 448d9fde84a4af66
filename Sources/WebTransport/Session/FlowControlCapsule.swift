import HTTP3
import NIOCore
import WebTransportCore

// How messages of flow control travel (draft-ietf-webtrans-http3 § 5.6): one integer in a capsule.

extension WebTransportOffer {
    /// The settings as HTTP/3 takes them.
    var http3Settings: [Setting] { self.settings.map { Setting(.init(rawValue: $0.identifier.rawValue), $0.value) } }
}

extension CapsuleType {
    /// Those of flow control. Where it is off they are skipped like any that nobody knows (§ 5.1).
    static let flowControl: Set<Self> = [
        .maxData, .maxStreamsBidirectional, .maxStreamsUnidirectional,
        .dataBlocked, .streamsBlockedBidirectional, .streamsBlockedUnidirectional,
    ]
}

extension SessionFlowControl.Message {
    /// Nil for a capsule of another type.
    /// - Throws: H3_MESSAGE_ERROR for a capsule that is not one integer (RFC 9297 § 3.3).
    init?(_ capsule: Capsule) throws(HTTP3Error) {
        guard CapsuleType.flowControl.contains(capsule.type) else { return nil }
        var payload = capsule.payload
        guard let value = payload.readEncodedInteger(as: UInt64.self, strategy: .quic), payload.readableBytes == 0
        else {
            throw HTTP3Error(.messageError, "a capsule of flow control that is not one integer")
        }
        switch capsule.type {
        case .maxData: self = .maxData(value)
        case .maxStreamsBidirectional: self = .maxStreams(.bidirectional, value)
        case .maxStreamsUnidirectional: self = .maxStreams(.unidirectional, value)
        case .dataBlocked: self = .dataBlocked(value)
        case .streamsBlockedBidirectional: self = .streamsBlocked(.bidirectional, value)
        case .streamsBlockedUnidirectional: self = .streamsBlocked(.unidirectional, value)
        default: return nil
        }
    }
}

extension Capsule {
    init(_ message: SessionFlowControl.Message) {
        let (type, value): (CapsuleType, UInt64) =
            switch message {
            case .maxData(let value): (.maxData, value)
            case .maxStreams(.bidirectional, let value): (.maxStreamsBidirectional, value)
            case .maxStreams(.unidirectional, let value): (.maxStreamsUnidirectional, value)
            case .dataBlocked(let value): (.dataBlocked, value)
            case .streamsBlocked(.bidirectional, let value): (.streamsBlockedBidirectional, value)
            case .streamsBlocked(.unidirectional, let value): (.streamsBlockedUnidirectional, value)
            }
        var payload = ByteBuffer()
        payload.writeEncodedInteger(value, strategy: .quic)
        self.init(type, payload: payload)
    }
}
