import DequeModule
import NIOConcurrencyHelpers
import NIOCore
import QUIC

/// Datagrams on their way to the endpoint that issued their connection ID, when the kernel gave them to another one.
///
/// Every endpoint of a server holds the handovers of all. Whoever puts the first datagram in wakes the receiver; the
/// rest of a burst goes with it.
final class DatagramHandover: Sendable {
    struct Item: Sendable {
        let datagram: ByteBuffer
        let path: NetworkPath
        let ecn: UInt8
    }

    private struct State {
        var items: Deque<Item> = []
        var receiver: NIOLoopBound<UDPEndpoint>?
    }

    /// About 1 MB. Anybody can make up packets with the receiver's ID, and its loop may be busy: what does not fit is
    /// lost, which recovery covers.
    private static let capacity = 512

    private let state = NIOLockedValueBox(State())

    func attach(_ endpoint: UDPEndpoint) {
        let bound = NIOLoopBound(endpoint, eventLoop: endpoint.eventLoop)
        self.state.withLockedValue { $0.receiver = bound }
    }

    /// The receiver has closed.
    func detach() {
        self.state.withLockedValue { $0 = State() }
    }

    /// - Returns: whether there was room, and a receiver.
    @discardableResult
    func offer(_ item: Item) -> Bool {
        let (isTaken, toWake): (Bool, NIOLoopBound<UDPEndpoint>?) = self.state.withLockedValue { state in
            guard let receiver = state.receiver, state.items.count < Self.capacity else { return (false, nil) }
            state.items.append(item)
            return (true, state.items.count == 1 ? receiver : nil)
        }
        if let toWake { toWake.eventLoop.execute { toWake.value.receiveHandedOver() } }
        return isTaken
    }

    func takeAll() -> Deque<Item> {
        self.state.withLockedValue { state in
            defer { state.items = [] }
            return state.items
        }
    }
}
