import CoreMetrics
import HTTPSemantics
import HTTPTypes
import LoopConcurrency
import NIOConcurrencyHelpers
import NIOCore

import struct Logging.Logger

/// What the listeners, the connections and `run` of one server share.
final class ServerCore: Sendable {
    /// Connections that may be open beside the sessions: fetches of pages, and sessions that begin.
    private static let connectionsBesideSessions = 1_000

    private enum Phase { case bound, running, draining }

    /// What must end before the server has: a connection, or a session in a connection that is somebody else's.
    private struct Member: Sendable {
        /// Asks it to end.
        var quiesce: @Sendable () -> Void
        /// Ends it without ceremony.
        var abort: @Sendable () -> Void
    }

    private struct State {
        var phase = Phase.bound
        var listeners: [any Channel] = []
        var members: [ObjectIdentifier: Member] = [:]
        var sessionCount = 0
        /// Fulfilled when the last member is gone.
        var drained: EventLoopPromise<Void>?
    }

    let configuration: WebSocketServerConfiguration
    let logger: Logger
    let responder: ResourceResponder
    let refusals: RefusalLog
    let metrics: ServerMetrics
    /// The sessions that have begun, for `run` to serve.
    let accepted: Mailbox<WebSocketSession>
    private let state = NIOLockedValueBox(State())

    init(configuration: WebSocketServerConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        self.responder = ResourceResponder(configuration.resources, originPolicy: configuration.originPolicy)
        self.refusals = RefusalLog(logger: logger)
        self.metrics = ServerMetrics(factory: configuration.metrics ?? MetricsSystem.factory)
        // What may wait is bounded by `maxSessions`.
        self.accepted = Mailbox(lowWatermark: .max - 1, highWatermark: .max)
    }

    func add(listener: any Channel) {
        self.state.withLockedValue { $0.listeners.append(listener) }
    }

    /// The listeners, if the server may begin to accept.
    func beginRunning() -> [any Channel] {
        self.state.withLockedValue { state in
            precondition(state.phase != .running, "a server runs once")
            guard state.phase == .bound else { return [] }
            state.phase = .running
            return state.listeners
        }
    }

    // MARK: Members

    /// False when the connection must be closed at once.
    func connectionOpened(_ channel: any Channel) -> Bool {
        let limit = self.configuration.maxSessions + Self.connectionsBesideSessions
        let isWithin = self.state.withLockedValue { state in
            guard state.phase == .running, state.members.count < limit else { return false }
            state.members[ObjectIdentifier(channel)] = Member(
                quiesce: { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) },
                abort: { channel.abort() }
            )
            return true
        }
        if isWithin { self.metrics.connections.increment() } else { self.metrics.connectionsRefused.increment() }
        return isWithin
    }

    func connectionClosed(_ channel: any Channel) {
        self.metrics.connections.decrement()
        self.remove(ObjectIdentifier(channel))
    }

    /// A session has begun in a connection that the server does not know. It has been counted before.
    func tunnelOpened(_ connection: WebSocketConnection) {
        let bound = NIOLoopBound(connection, eventLoop: connection.eventLoop)
        let member = Member(
            quiesce: { bound.eventLoop.execute { bound.value.shutDown() } },
            abort: { bound.eventLoop.execute { bound.value.abort() } }
        )
        self.state.withLockedValue { $0.members[ObjectIdentifier(connection)] = member }
    }

    func tunnelClosed(_ connection: ObjectIdentifier) {
        self.remove(connection)
    }

    private func remove(_ member: ObjectIdentifier) {
        let drained: EventLoopPromise<Void>? = self.state.withLockedValue { state in
            state.members[member] = nil
            guard state.members.isEmpty else { return nil }
            defer { state.drained = nil }
            return state.drained
        }
        drained?.succeed()
    }

    /// Takes a place for a session, until `sessionClosed`.
    /// - Throws: why there is none.
    func openSession() throws(OpeningHandshake.Refusal) {
        let refusal: OpeningHandshake.Refusal? = self.state.withLockedValue { state in
            // Before `run` only other servers' connections can ask, and wait for it.
            guard state.phase != .draining else {
                return OpeningHandshake.Refusal(
                    status: .serviceUnavailable,
                    reason: "the server is shutting down",
                    fields: [.retryAfter: "10"]
                )
            }
            guard state.sessionCount < self.configuration.maxSessions else {
                return OpeningHandshake.Refusal(
                    status: .tooManyRequests,
                    reason: "the server has as many sessions as it takes; try again later",
                    fields: [.retryAfter: "10"]
                )
            }
            state.sessionCount += 1
            return nil
        }
        if let refusal { throw refusal }
        self.metrics.sessions.increment()
        self.metrics.sessionsAccepted.increment()
    }

    func sessionClosed() {
        self.metrics.sessions.decrement()
        self.state.withLockedValue { $0.sessionCount -= 1 }
    }

    // MARK: Shutdown

    /// Stops accepting, and asks every member to end.
    func beginDraining() {
        let (listeners, members) = self.state.withLockedValue { state in
            defer { state.phase = .draining }
            return state.phase == .draining ? ([], [:]) : (state.listeners, state.members)
        }
        for listener in listeners { listener.close(promise: nil) }
        for member in members.values { member.quiesce() }
        self.accepted.source.finish()
    }

    /// Returns when every member has ended; ends those that take longer than `time`.
    func waitUntilDrained(within time: TimeAmount, on eventLoop: any EventLoop) async {
        let promise = eventLoop.makePromise(of: Void.self)
        let isEmpty = self.state.withLockedValue { state in
            if !state.members.isEmpty { state.drained = promise }
            return state.members.isEmpty
        }
        if isEmpty { promise.succeed() }
        let timer = eventLoop.scheduleTask(in: time) { self.endMembers() }
        // It cannot fail: `remove` succeeds it.
        try? await promise.futureResult.get()
        timer.cancel()
    }

    /// Ends every member without ceremony.
    func endMembers() {
        for member in self.state.withLockedValue({ Array($0.members.values) }) { member.abort() }
    }
}
