package import NIOCore

/// A capsule type (RFC 9297 § 3.2).
package struct CapsuleType: Hashable, Sendable {
    package var rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// WT_CLOSE_SESSION (draft-ietf-webtrans-http3 § 6).
    package static var closeSession: Self { Self(rawValue: 0x2843) }
    /// WT_DRAIN_SESSION (draft-ietf-webtrans-http3 § 4.7).
    package static var drainSession: Self { Self(rawValue: 0x78ae) }
    /// WT_MAX_DATA (draft-ietf-webtrans-http3 § 5.6.4).
    package static var maxData: Self { Self(rawValue: 0x190b_4d3d) }
    /// WT_MAX_STREAMS for bidirectional streams (draft-ietf-webtrans-http3 § 5.6.2).
    package static var maxStreamsBidirectional: Self { Self(rawValue: 0x190b_4d3f) }
    /// WT_MAX_STREAMS for unidirectional streams.
    package static var maxStreamsUnidirectional: Self { Self(rawValue: 0x190b_4d40) }
    /// WT_DATA_BLOCKED (draft-ietf-webtrans-http3 § 5.6.5).
    package static var dataBlocked: Self { Self(rawValue: 0x190b_4d41) }
    /// WT_STREAMS_BLOCKED for bidirectional streams (draft-ietf-webtrans-http3 § 5.6.3).
    package static var streamsBlockedBidirectional: Self { Self(rawValue: 0x190b_4d43) }
    /// WT_STREAMS_BLOCKED for unidirectional streams.
    package static var streamsBlockedUnidirectional: Self { Self(rawValue: 0x190b_4d44) }
    /// WT_MAX_STREAM_DATA: only for WebTransport over HTTP/2, whose streams are capsules.
    package static var maxStreamData: Self { Self(rawValue: 0x190b_4d3e) }
    /// WT_STREAM_DATA_BLOCKED: as above.
    package static var streamDataBlocked: Self { Self(rawValue: 0x190b_4d42) }
}

/// A capsule: the message of a CONNECT stream (RFC 9297 § 3.2).
package struct Capsule: Equatable {
    package var type: CapsuleType
    package var payload: ByteBuffer

    package init(_ type: CapsuleType, payload: ByteBuffer = ByteBuffer()) {
        self.type = type
        self.payload = payload
    }

    package var encoded: ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeEncodedInteger(self.type.rawValue, strategy: .quic)
        buffer.writeEncodedInteger(UInt64(self.payload.readableBytes), strategy: .quic)
        buffer.writeImmutableBuffer(self.payload)
        return buffer
    }
}

/// Cuts the data of a CONNECT stream into capsules.
///
/// A type that nobody asked for is skipped without being stored, however long it says it is (RFC 9297 § 3.3); a known
/// one is collected up to a limit. The bytes may arrive one at a time.
package struct CapsuleDecoder: ~Copyable {
    private enum State: ~Copyable {
        case header(ByteBuffer)
        case payload(CapsuleType, ByteBuffer, missing: Int)
        case skipping(missing: UInt64)
    }
    private var state: State
    /// How many capsules have begun, known and unknown.
    package private(set) var count: Int
    private let known: Set<CapsuleType>
    private let maxPayloadSize: Int

    /// - Parameters:
    ///   - known: the types to deliver.
    ///   - maxPayloadSize: in bytes; a known capsule that is longer is malformed.
    package init(known: Set<CapsuleType>, maxPayloadSize: Int) {
        self.init(.header(ByteBuffer()), count: 0, known: known, maxPayloadSize: maxPayloadSize)
    }

    private init(_ state: consuming State, count: Int, known: Set<CapsuleType>, maxPayloadSize: Int) {
        self.state = state
        self.count = count
        self.known = known
        self.maxPayloadSize = maxPayloadSize
    }

    /// Whether the data so far ends between two capsules, as it must at the end of the stream.
    package var isAtBoundary: Bool {
        switch self.state {
        case .header(let collected): collected.readableBytes == 0
        case .payload: false
        case .skipping: false
        }
    }

    /// Takes bytes out of `input` until a known capsule is complete or there are none left.
    /// - Throws: H3_MESSAGE_ERROR, which ends the stream, when a known capsule is too long.
    package mutating func next(from input: inout ByteBuffer) throws(HTTP3Error) -> Capsule? {
        while true {
            let (known, maxPayloadSize, count) = (self.known, self.maxPayloadSize, self.count)
            let outcome: Outcome
            switch consume self.state {
            case .header(let collected):
                outcome = Self.readHeader(collected, from: &input, known: known, maxPayloadSize: maxPayloadSize)
            case .payload(let type, let collected, let missing):
                outcome = Self.readPayload(type, collected, missing: missing, from: &input)
            case .skipping(let missing):
                outcome = Self.skip(missing, from: &input)
            }
            switch consume outcome {
            case .next(let state):
                self = .init(state, count: count, known: known, maxPayloadSize: maxPayloadSize)
            case .began(let state):
                self = .init(state, count: count + 1, known: known, maxPayloadSize: maxPayloadSize)
            case .needsMore(let state):
                self = .init(state, count: count, known: known, maxPayloadSize: maxPayloadSize)
                return nil
            case .capsule(let capsule):
                self = .init(.header(ByteBuffer()), count: count, known: known, maxPayloadSize: maxPayloadSize)
                return capsule
            case .tooLong(let header):
                let state = State.skipping(missing: header.length)
                self = .init(state, count: count + 1, known: known, maxPayloadSize: maxPayloadSize)
                throw HTTP3Error(.messageError, "a capsule of type \(header.type) with \(header.length) bytes")
            }
        }
    }

    private enum Outcome: ~Copyable {
        case next(State)
        /// The header of a capsule is complete.
        case began(State)
        case needsMore(State)
        case capsule(Capsule)
        case tooLong(FrameHeader)
    }

    private static func readHeader(
        _ collected: ByteBuffer,
        from input: inout ByteBuffer,
        known: Set<CapsuleType>,
        maxPayloadSize: Int
    ) -> Outcome {
        // One byte at a time: what follows the header belongs to the payload. A header has at most 16 bytes.
        guard let byte = input.readSlice(length: 1) else { return .needsMore(.header(collected)) }
        var collected = collected
        collected.writeImmutableBuffer(byte)
        var complete = collected
        guard let header = FrameHeader(from: &complete) else { return .next(.header(collected)) }
        let type = CapsuleType(rawValue: header.type)
        guard known.contains(type) else { return .began(.skipping(missing: header.length)) }
        guard header.length <= UInt64(maxPayloadSize) else { return .tooLong(header) }
        return .began(.payload(type, ByteBuffer(), missing: Int(header.length)))
    }

    private static func readPayload(
        _ type: CapsuleType,
        _ collected: ByteBuffer,
        missing: Int,
        from input: inout ByteBuffer
    ) -> Outcome {
        var collected = collected
        let count = min(missing, input.readableBytes)
        // Not nil: at most what is readable.
        collected.writeImmutableBuffer(input.readSlice(length: count)!)
        guard count < missing else { return .capsule(Capsule(type, payload: collected)) }
        return .needsMore(.payload(type, collected, missing: missing - count))
    }

    private static func skip(_ missing: UInt64, from input: inout ByteBuffer) -> Outcome {
        let count = Int(min(missing, UInt64(input.readableBytes)))
        input.moveReaderIndex(forwardBy: count)
        guard missing == UInt64(count) else { return .needsMore(.skipping(missing: missing - UInt64(count))) }
        return .next(.header(ByteBuffer()))
    }
}
