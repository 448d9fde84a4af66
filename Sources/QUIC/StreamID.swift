/// A QUIC stream ID (RFC 9000 § 2.1): its two low bits say who opened it and which way it carries data.
package struct StreamID: Hashable, Sendable, Comparable {
    package var rawValue: Int64

    package init(rawValue: Int64) {
        self.rawValue = rawValue
    }

    package var isServerInitiated: Bool { self.rawValue & 1 == 1 }
    /// Whether the peer of a server, or of a client, opened it.
    package func isPeerInitiated(isServer: Bool) -> Bool { self.isServerInitiated != isServer }
    package var direction: StreamDirection { self.rawValue & 2 == 0 ? .bidirectional : .unidirectional }

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

extension StreamID: CustomStringConvertible {
    package var description: String { String(self.rawValue) }
}

/// Whether both ends of a stream may send.
package enum StreamDirection: Hashable, Sendable {
    case bidirectional
    case unidirectional
}
