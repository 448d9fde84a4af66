import DequeModule
import LoopConcurrency
import NIOCore
import QUIC

/// Somebody who wants to open a stream of a session.
struct StreamOpening {
    let direction: StreamDirection
    let session: SessionCore
    let ticket: WaitTicket
    let promise: EventLoopPromise<OpenedStream>
}

/// Those who wait until the peer allows more streams, in order.
struct StreamOpenings {
    private var bidirectional: Deque<StreamOpening> = []
    private var unidirectional: Deque<StreamOpening> = []

    private subscript(_ direction: StreamDirection) -> Deque<StreamOpening> {
        get {
            switch direction {
            case .bidirectional: self.bidirectional
            case .unidirectional: self.unidirectional
            }
        }
        _modify {
            switch direction {
            case .bidirectional: yield &self.bidirectional
            case .unidirectional: yield &self.unidirectional
            }
        }
    }

    func first(_ direction: StreamDirection) -> StreamOpening? { self[direction].first }

    mutating func append(_ opening: StreamOpening) { self[opening.direction].append(opening) }

    mutating func popFirst(_ direction: StreamDirection) -> StreamOpening? { self[direction].popFirst() }

    /// - Returns: those that wait no more.
    mutating func remove(where isMeant: (StreamOpening) -> Bool) -> [StreamOpening] {
        guard !self.bidirectional.isEmpty || !self.unidirectional.isEmpty else { return [] }
        let removed = self.bidirectional.filter(isMeant) + self.unidirectional.filter(isMeant)
        self.bidirectional.removeAll(where: isMeant)
        self.unidirectional.removeAll(where: isMeant)
        return Array(removed)
    }
}

/// A stream that this end has opened, on its way to another thread.
struct OpenedStream: Sendable {
    let sending: NIOLoopBound<SendStreamCore>
    let receiving: (core: NIOLoopBound<ReceiveStreamCore>, mailbox: Mailbox<ReceiveStreamCore.Item>)?

    init(_ core: SendStreamCore) {
        let eventLoop = core.connection.eventLoop
        self.sending = NIOLoopBound(core, eventLoop: eventLoop)
        self.receiving = core.counterpart.map { (NIOLoopBound($0, eventLoop: eventLoop), $0.handOut()) }
    }
}
