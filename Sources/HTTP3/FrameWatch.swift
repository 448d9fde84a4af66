import NIOCore

/// Watches the frames of one stream for WT_STREAM, which looks like a frame but has no length, and may only begin a
/// stream (draft-ietf-webtrans-http3 § 4.3). nghttp3 takes it for a frame of unknown type and skips what follows.
///
/// It counts frames that lead to nothing, of which nghttp3 says nothing; and it knows where nghttp3 must not stop
/// reading: see `isBehindElementID`.
struct FrameWatch: ~Copyable {
    private enum State: ~Copyable {
        /// Within the type of a unidirectional stream.
        case streamType(ByteBuffer)
        /// Between two frames, or within a frame's header.
        case header(ByteBuffer)
        case payload(left: UInt64)
        /// Within the first field of a PRIORITY_UPDATE frame. What is left counts from the beginning of its payload.
        case elementID(ByteBuffer, isRequest: Bool, left: UInt64)
        /// Right behind that field.
        case priority(left: UInt64)
        /// The stream has no frames.
        case done
    }
    private var state: State

    private static let maxHeaderSize = 16
    /// PRIORITY_UPDATE, for requests and for pushes (RFC 9218 § 7.2).
    private static let priorityUpdates: ClosedRange<UInt64> = 0xf0700...0xf0701
    /// RFC 9114 § 6.2.1.
    private static let controlStreamType: UInt64 = 0x00

    init(isUnidirectional: Bool) {
        self.state = isUnidirectional ? .streamType(ByteBuffer()) : .header(ByteBuffer())
    }

    private init(_ state: consuming State) {
        self.state = state
    }

    /// Whether the bytes so far end between the two fields of a PRIORITY_UPDATE frame (RFC 9218 § 7.2).
    ///
    /// nghttp3 0.8 asserts that more follows, and ends the program when a packet ends there.
    var isBehindElementID: Bool {
        switch self.state {
        case .priority: true
        case .streamType: false
        case .header: false
        case .payload: false
        case .elementID: false
        case .done: false
        }
    }

    /// What the frames were about.
    struct Findings {
        /// Frames have begun that carry neither data nor fields.
        var emptyFrameCount = 0
        /// Requests that were given a priority.
        var prioritized: [Int64] = []
    }

    /// Takes the next bytes of the stream.
    mutating func process(_ bytes: ByteBuffer) throws(HTTP3Error) -> Findings {
        var rest = bytes
        var findings = Findings()
        while rest.readableBytes > 0 { try self.step(&rest, &findings) }
        return findings
    }

    /// RFC 9114 § 7.2.
    private enum FrameType {
        static let data: UInt64 = 0x00
        static let headers: UInt64 = 0x01
    }

    private static func isEmpty(_ header: FrameHeader) -> Bool {
        switch header.type {
        case FrameType.data, FrameType.headers: header.length == 0
        default: true
        }
    }

    private mutating func step(_ rest: inout ByteBuffer, _ findings: inout Findings) throws(HTTP3Error) {
        switch consume self.state {
        case .streamType(var collected):
            collected.writeBuffer(&rest)
            guard let type = collected.readEncodedInteger(as: UInt64.self, strategy: .quic) else {
                self = .init(.streamType(collected))
                return
            }
            rest = collected
            self = .init(type == Self.controlStreamType ? .header(ByteBuffer()) : .done)
        case .header(var start):
            // A header is two varints of at most eight bytes each; no more is copied, and only what is cut is kept.
            let before = start.readableBytes
            start.writeBytes(rest.readableBytesView.prefix(Self.maxHeaderSize - before))
            var input = start
            if input.readEncodedInteger(as: UInt64.self, strategy: .quic) == StreamTyping.bidirectionalSignal {
                self = .init(.done)
                throw HTTP3Error(.frameError, "WT_STREAM elsewhere than at the beginning of a stream")
            }
            input = start
            guard let header = FrameHeader(from: &input) else {
                // Shorter than the longest header: it is all that there is.
                rest.moveReaderIndex(to: rest.writerIndex)
                self = .init(.header(start))
                return
            }
            rest.moveReaderIndex(forwardBy: start.readableBytes - input.readableBytes - before)
            if Self.isEmpty(header) { findings.emptyFrameCount += 1 }
            if header.length == 0 {
                self = .init(.header(ByteBuffer()))
            } else if Self.priorityUpdates.contains(header.type) {
                let isRequest = header.type == Self.priorityUpdates.lowerBound
                self = .init(.elementID(ByteBuffer(), isRequest: isRequest, left: header.length))
            } else {
                self = .init(.payload(left: header.length))
            }
        case .elementID(var start, let isRequest, let left):
            let before = start.readableBytes
            // A varint has at most eight bytes.
            start.writeBytes(rest.readableBytesView.prefix(Int(min(8, left)) - before))
            var input = start
            guard let id = input.readEncodedInteger(as: Int64.self, strategy: .quic) else {
                rest.moveReaderIndex(forwardBy: start.readableBytes - before)
                // When the frame ends within the field, that is for nghttp3 to judge.
                let isWhole = start.readableBytes == left
                self = .init(isWhole ? .header(ByteBuffer()) : .elementID(start, isRequest: isRequest, left: left))
                return
            }
            if isRequest { findings.prioritized.append(id) }
            let size = start.readableBytes - input.readableBytes
            rest.moveReaderIndex(forwardBy: size - before)
            self = .init(size < left ? .priority(left: left - UInt64(size)) : .header(ByteBuffer()))
        case .priority(let left):
            self = .init(.payload(left: left))
        case .payload(let left):
            let skipped = min(UInt64(rest.readableBytes), left)
            rest.moveReaderIndex(forwardBy: Int(skipped))
            self = .init(skipped < left ? .payload(left: left - skipped) : .header(ByteBuffer()))
        case .done:
            rest.moveReaderIndex(to: rest.writerIndex)
            self = .init(.done)
        }
    }
}
