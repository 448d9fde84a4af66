import HTTPSemantics
import Logging
import LoopConcurrency
import NIOCore
import WebTransportCore

/// What all connections of a server share. It does not change while the server runs, but for the sessions.
final class ServerContext: Sendable {
    let responder: ResourceResponder
    let tunnels: TunnelService?
    let admission: SessionAdmissionHandler
    let originPolicy: OriginPolicy
    let refusals: RefusalLog
    let sessions: SessionRegister
    /// What the server says of itself in SETTINGS.
    let offer: WebTransportOffer
    let requestTimeout: TimeAmount
    private let arrivals: Mailbox<WebTransportSession>.Source

    init(
        configuration: WebTransportServer.Configuration,
        arrivals: Mailbox<WebTransportSession>.Source,
        logger: Logger
    ) {
        self.refusals = RefusalLog(logger: logger)
        self.responder = ResourceResponder(configuration.resources, originPolicy: configuration.originPolicy)
        self.tunnels = configuration.tunnels
        self.admission = configuration.admission
        self.originPolicy = configuration.originPolicy
        self.sessions = SessionRegister(limit: configuration.maxSessions)
        self.offer = configuration.transport.offer
        self.requestTimeout = configuration.requestTimeout
        self.arrivals = arrivals
    }

    /// Hands a new session to the server's task.
    /// - Returns: false when the server is shutting down.
    func offer(_ session: WebTransportSession) -> Bool {
        self.arrivals.offer(session) != .ended
    }
}
