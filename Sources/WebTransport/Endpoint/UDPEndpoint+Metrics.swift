import NIOCore

extension UDPEndpoint {
    /// A person who looks sees what is; a loop with work is not kept from it.
    private static let publicationInterval = TimeAmount.seconds(1)

    /// Something may have changed: it is published within a second. An idle server sleeps.
    func schedulePublication() {
        guard !self.isPublicationScheduled, self.publisher != nil else { return }
        self.isPublicationScheduled = true
        let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
        self.eventLoop.scheduleTask(in: Self.publicationInterval) {
            bound.value.isPublicationScheduled = false
            bound.value.publish()
        }
    }

    func publish() {
        self.publisher?.publish(self.counts.samples(of: self.core))
    }
}
