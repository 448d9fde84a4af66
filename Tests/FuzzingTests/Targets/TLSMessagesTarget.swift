import Credentials
import NIOCore

@testable import QUIC

extension FuzzTarget {
    /// Messages of TLS that are read before, or beside, GnuTLS: a ClientHello, a NewSessionTicket, and what follows a
    /// handshake.
    static let tlsMessages = FuzzTarget("tls-messages") { input in
        let bytes = Array(input)
        try Self.requireOneEnd(of: bytes, "ClientHello") { ClientHello($0).map(\.keyShareGroups) }
        try Self.requireOneEnd(of: bytes, "NewSessionTicket") { NewSessionTicket($0) }
        for isFromServer in [false, true] {
            let expected = Self.isTicketsAlone(bytes, isFromServer: isFromServer)
            for cutting in [.whole] + Cutting.inPieces {
                var watch = PostHandshakeMessages(isFromServer: isFromServer)
                let pieces = cutting.pieces(of: input)
                let allowed = pieces.allSatisfy { watch.allows($0.readableBytesView) }
                try requireEqual(allowed, expected, "messages after the handshake \(cutting), and by hand")
            }
        }
    }

    /// A message has one end: what is shorter is malformed, and what stands behind it changes nothing.
    private static func requireOneEnd<Message: Equatable>(
        of bytes: [UInt8],
        _ name: String,
        _ parse: (ArraySlice<UInt8>) -> Message?
    ) throws {
        let whole = parse(bytes[...])
        var (tooShort, enough) = (-1, bytes.count)
        guard whole != nil else {
            return try require(parse(bytes.dropLast()) == nil, "a malformed \(name) has no beginning that is not")
        }
        while enough - tooShort > 1 {
            let middle = (tooShort + enough) / 2
            if let message = parse(bytes.prefix(middle)) {
                try requireEqual(message, whole, "a \(name) with bytes behind it, and without")
                enough = middle
            } else {
                tooShort = middle
            }
        }
        try require(enough == 0 || parse(bytes.prefix(enough / 2)) == nil, "half a \(name) is none")
    }

    /// RFC 8446 § 4: a type, three bytes of length, and so many more. The last message may be cut.
    private static func isTicketsAlone(_ bytes: [UInt8], isFromServer: Bool) -> Bool {
        var position = 0
        while position < bytes.count {
            guard isFromServer, bytes[position] == 4 else { return false }
            guard position + 4 <= bytes.count else { return true }
            position += 4 + bytes[position + 1..<position + 4].reduce(0) { $0 << 8 | Int($1) }
        }
        return true
    }
}
