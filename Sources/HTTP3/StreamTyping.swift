package import NIOCore

/// Finds out from the first bytes of a stream that the peer opened whose it is.
///
/// A bidirectional stream that begins with 0x41, or a unidirectional one that begins with 0x54, is WebTransport's, and
/// its session ID follows (draft-ietf-webtrans-http3 § 4.2, § 4.3). All others are HTTP/3's, from their first byte.
/// The bytes may arrive one at a time.
package struct StreamTyping: ~Copyable {
    /// What the bytes so far say.
    package enum Verdict: Equatable {
        case undecided
        /// A stream of the WebTransport session with this ID. `headerSize` bytes were its header, `rest` is its data.
        case webTransport(sessionID: Int64, headerSize: Int, rest: ByteBuffer)
        /// HTTP/3's, with all bytes from the beginning of the stream.
        case http3(ByteBuffer, type: UInt64?)
    }

    /// The signal value of bidirectional streams, WT_STREAM.
    package static let bidirectionalSignal: UInt64 = 0x41
    /// The type of unidirectional streams.
    package static let unidirectionalType: UInt64 = 0x54

    /// The types of HTTP/3's unidirectional streams (RFC 9114 § 6.2; RFC 9204 § 4.2).
    package static let controlType: UInt64 = 0x00
    package static let pushType: UInt64 = 0x01
    package static let compressionTypes: ClosedRange<UInt64> = 0x02...0x03

    private var collected = ByteBuffer()
    /// What has arrived without deciding.
    package var bufferedByteCount: Int { self.collected.readableBytes }
    private let isUnidirectional: Bool

    package init(isUnidirectional: Bool) {
        self.isUnidirectional = isUnidirectional
    }

    /// Takes the next bytes. `isFinal` decides for HTTP/3 whatever is still undecided.
    package mutating func process(_ bytes: ByteBuffer, isFinal: Bool) -> Verdict {
        var whole = self.collected
        whole.writeImmutableBuffer(bytes)
        let verdict = self.verdict(on: whole, isFinal: isFinal)
        self.collected = verdict == .undecided ? whole : ByteBuffer()
        return verdict
    }

    private func verdict(on whole: ByteBuffer, isFinal: Bool) -> Verdict {
        var input = whole
        guard let type = input.readEncodedInteger(as: UInt64.self, strategy: .quic) else {
            return isFinal ? .http3(whole, type: nil) : .undecided
        }
        let expected = self.isUnidirectional ? Self.unidirectionalType : Self.bidirectionalSignal
        guard type == expected else { return .http3(whole, type: type) }
        guard let sessionID = input.readEncodedInteger(as: UInt64.self, strategy: .quic) else {
            return isFinal ? .http3(whole, type: type) : .undecided
        }
        let headerSize = whole.readableBytes - input.readableBytes
        // A varint is smaller than 2^62.
        return .webTransport(sessionID: Int64(sessionID), headerSize: headerSize, rest: input)
    }

    /// The header of a stream that this end opens.
    package static func header(sessionID: Int64, isUnidirectional: Bool) -> ByteBuffer {
        var header = ByteBuffer()
        header.writeEncodedInteger(
            isUnidirectional ? Self.unidirectionalType : Self.bidirectionalSignal,
            strategy: .quic
        )
        header.writeEncodedInteger(UInt64(sessionID), strategy: .quic)
        return header
    }
}
