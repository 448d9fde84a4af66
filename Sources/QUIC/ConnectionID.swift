import CGnuTLS
import CNgtcp2

/// A QUIC connection ID of up to 20 bytes (RFC 9000 § 5.1).
///
/// Those that an endpoint issues have eight bytes, the first of which is the endpoint's index: a datagram that the
/// kernel gave to the wrong endpoint, after a NAT rebinding, finds its way home. The rest is random.
package struct ConnectionID: Hashable, Sendable {
    /// The length of the IDs we issue, which short headers do not carry (RFC 9000 § 17.3).
    package static let issuedLength = 8

    private var storage: (UInt64, UInt64, UInt32) = (0, 0, 0)
    private var length: UInt8 = 0

    /// - Precondition: `bytes` has at most 20 bytes.
    package init(_ bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count <= 20, "a connection ID has at most 20 bytes")
        withUnsafeMutableBytes(of: &self.storage) { $0.copyMemory(from: bytes) }
        self.length = UInt8(bytes.count)
    }

    /// A new random ID that names an endpoint.
    package init(endpointIndex: UInt8) {
        withUnsafeMutableBytes(of: &self.storage) { bytes in
            Self.fillWithRandom(UnsafeMutableRawBufferPointer(rebasing: bytes.prefix(Self.issuedLength)))
            bytes[0] = endpointIndex
        }
        self.length = UInt8(Self.issuedLength)
    }

    init(_ id: ngtcp2_cid) {
        self = withUnsafeBytes(of: id.data) { ConnectionID(UnsafeRawBufferPointer(rebasing: $0.prefix(id.datalen))) }
    }

    var libraryID: ngtcp2_cid {
        var id = ngtcp2_cid()
        self.withBytes { bytes in withUnsafeMutableBytes(of: &id.data) { $0.copyMemory(from: bytes) } }
        id.datalen = Int(self.length)
        return id
    }

    /// The endpoint that issued this ID, if it was one of ours.
    package var endpointIndex: UInt8? {
        self.length == UInt8(Self.issuedLength) ? self.withBytes { $0[0] } : nil
    }

    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withUnsafeBytes(of: self.storage) { body(UnsafeRawBufferPointer(rebasing: $0.prefix(Int(self.length)))) }
    }

    /// Lower-case hexadecimal, as qlog and other tools write it.
    package var hexadecimal: String {
        self.withBytes { bytes in
            bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.length == right.length && left.storage == right.storage
    }

    package func hash(into hasher: inout Hasher) {
        self.withBytes { hasher.combine(bytes: $0) }
    }

    static func fillWithRandom(_ bytes: UnsafeMutableRawBufferPointer) {
        let result = gnutls_rnd(GNUTLS_RND_NONCE, bytes.baseAddress, bytes.count)
        precondition(result == 0, "the system's random generator works")
    }
}

extension ConnectionID: CustomStringConvertible {
    package var description: String { self.hexadecimal }
}
