import DequeModule

/// Streams and datagrams that arrived before the session that they name (draft-ietf-webtrans-http3 § 4.6).
///
/// QUIC delivers streams in any order, so a session's first stream may overtake its CONNECT. They are held, within
/// bounds: 24 streams, as Chromium's stack holds, and as many datagrams. When there is no room, a stream is rejected by
/// the caller, and the oldest datagram gives way.
package struct EarlyArrivals<Stream, Datagram> {
    package static var maxStreams: Int { 24 }
    package static var maxDatagrams: Int { 24 }

    private var streams: [(sessionID: Int64, stream: Stream)] = []
    private var datagrams: Deque<(sessionID: Int64, datagram: Datagram)> = []

    package init() {}

    package var isEmpty: Bool { self.streams.isEmpty && self.datagrams.isEmpty }

    /// - Returns: false when there is no room: reject the stream with WT_BUFFERED_STREAM_REJECTED.
    package mutating func hold(_ stream: Stream, for sessionID: Int64) -> Bool {
        guard self.streams.count < Self.maxStreams else { return false }
        self.streams.append((sessionID, stream))
        return true
    }

    /// - Returns: whether an older one had to go.
    @discardableResult
    package mutating func hold(_ datagram: Datagram, for sessionID: Int64) -> Bool {
        let isFull = self.datagrams.count >= Self.maxDatagrams
        if isFull { self.datagrams.removeFirst() }
        self.datagrams.append((sessionID, datagram))
        return isFull
    }

    /// The session has begun, or was refused: what was held for it, in order of arrival.
    package mutating func take(_ sessionID: Int64) -> (streams: [Stream], datagrams: [Datagram]) {
        guard !self.isEmpty else { return ([], []) }
        let streams = self.streams.filter { $0.sessionID == sessionID }.map(\.stream)
        let datagrams = self.datagrams.filter { $0.sessionID == sessionID }.map(\.datagram)
        self.streams.removeAll { $0.sessionID == sessionID }
        self.datagrams.removeAll { $0.sessionID == sessionID }
        return (streams, datagrams)
    }
}
