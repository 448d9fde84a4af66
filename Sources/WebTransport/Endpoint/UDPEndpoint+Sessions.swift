import NIOCore

// How the sessions of an endpoint come to their end, before its connections do.

extension UDPEndpoint {
    /// Asks every session to finish.
    func drainSessions() {
        for connection in self.allConnections { connection.drain() }
    }

    /// Closes every session.
    func close(sessions close: SessionClose) {
        for connection in self.allConnections {
            for session in connection.sessions.values { session.close(close) }
            self.markDirty(connection)
        }
    }

    /// Waits until the peers have taken note of the ends of their sessions, and have the responses that are under way.
    func settled(within limit: TimeAmount) -> EventLoopFuture<Void> {
        let promise = self.eventLoop.makePromise(of: Void.self)
        let timeout = self.eventLoop.scheduleTask(in: limit) { promise.succeed() }
        let futures = self.allConnections.map { $0.settled() }
        EventLoopFuture.andAllComplete(futures, on: self.eventLoop).whenComplete { _ in
            timeout.cancel()
            promise.succeed()
        }
        return promise.futureResult
    }
}
