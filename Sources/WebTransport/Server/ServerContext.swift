import HTTPSemantics
import Logging
import LoopConcurrency
import Synchronization

/// What all connections of a server share. It does not change while the server runs, but for the number of sessions.
final class ServerContext: Sendable {
    let resources: ResourceHandler
    let admission: SessionAdmissionHandler
    let originPolicy: OriginPolicy
    let maxSessions: Int
    let refusals: RefusalLog
    let sessionCount = Counter()
    private let draining = Atomic(false)
    private let arrivals: Mailbox<WebTransportSession>.Source

    init(
        configuration: WebTransportServer.Configuration,
        arrivals: Mailbox<WebTransportSession>.Source,
        logger: Logger
    ) {
        self.refusals = RefusalLog(logger: logger)
        self.resources = configuration.resources
        self.admission = configuration.admission
        self.originPolicy = configuration.originPolicy
        self.maxSessions = configuration.maxSessions
        self.arrivals = arrivals
    }

    /// Whether the server shuts down: no session begins any more.
    var isDraining: Bool { self.draining.load(ordering: .relaxed) }

    func beginDraining() {
        self.draining.store(true, ordering: .relaxed)
    }

    /// Hands a new session to the server's task.
    /// - Returns: false when the server is shutting down.
    func offer(_ session: WebTransportSession) -> Bool {
        self.arrivals.offer(session) != .ended
    }
}

/// A number that several loops change.
final class Counter: Sendable {
    private let number = Atomic<Int>(0)

    var value: Int { self.number.load(ordering: .relaxed) }

    func add(_ amount: Int) {
        self.number.add(amount, ordering: .relaxed)
    }
}
