import NIOCore
import QUIC

extension UDPEndpoint {
    /// A person who looks sees what is; a loop with work is not kept from it.
    private static let publicationInterval = TimeAmount.seconds(1)

    /// Something may have changed: it is published within a second. An idle server sleeps.
    func schedulePublication() {
        guard self.publication == nil, self.state == .open, self.publisher != nil else { return }
        let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
        self.publication = self.eventLoop.scheduleTask(in: Self.publicationInterval) {
            bound.value.publication = nil
            bound.value.publish()
        }
    }

    func publish() {
        guard self.publisher != nil else { return }
        let held = self.allConnections.reduce(0) { $0 + $1.quic.heldByteCount }
        self.publisher?.publish(self.counts.samples(of: self.core, unacknowledged: held))
    }

    /// What a closed endpoint ended with. Nothing holds it afterwards.
    func publishLast() {
        self.publication?.cancel()
        self.publication = nil
        self.publish()
    }
}
