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

    private struct State {
        var phase = Phase.bound
        var listeners: [any Channel] = []
        var connections: [ObjectIdentifier: any Channel] = [:]
        var sessionCount = 0
        /// Fulfilled when the last connection is gone.
        var drained: EventLoopPromise<Void>?
    }

    let configuration: WebSocketServerConfiguration
    let logger: Logger
    let refusals: RefusalLog
    /// The sessions that have begun, for `run` to serve.
    let accepted: Mailbox<WebSocketSession>
    private let state = NIOLockedValueBox(State())

    init(configuration: WebSocketServerConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        self.refusals = RefusalLog(logger: logger)
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

    // MARK: Connections

    /// False when the connection must be closed at once.
    func connectionOpened(_ channel: any Channel) -> Bool {
        let limit = self.configuration.maxSessions + Self.connectionsBesideSessions
        return self.state.withLockedValue { state in
            guard state.phase == .running, state.connections.count < limit else { return false }
            state.connections[ObjectIdentifier(channel)] = channel
            return true
        }
    }

    func connectionClosed(_ channel: any Channel) {
        let drained: EventLoopPromise<Void>? = self.state.withLockedValue { state in
            state.connections[ObjectIdentifier(channel)] = nil
            guard state.connections.isEmpty else { return nil }
            defer { state.drained = nil }
            return state.drained
        }
        drained?.succeed()
    }

    /// False when there are as many sessions as there may be.
    func sessionOpens() -> Bool {
        self.state.withLockedValue { state in
            guard state.phase == .running, state.sessionCount < self.configuration.maxSessions else { return false }
            state.sessionCount += 1
            return true
        }
    }

    func sessionClosed() {
        self.state.withLockedValue { $0.sessionCount -= 1 }
    }

    // MARK: Shutdown

    /// Stops accepting, and asks every connection to end.
    func beginDraining() {
        let (listeners, connections) = self.state.withLockedValue { state in
            defer { state.phase = .draining }
            return state.phase == .draining ? ([], [:]) : (state.listeners, state.connections)
        }
        for listener in listeners { listener.close(promise: nil) }
        for connection in connections.values {
            connection.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
        self.accepted.source.finish()
    }

    /// Returns when every connection has ended; ends those that take longer than `time`.
    func waitUntilDrained(within time: TimeAmount, on eventLoop: any EventLoop) async {
        let promise = eventLoop.makePromise(of: Void.self)
        let isEmpty = self.state.withLockedValue { state in
            if !state.connections.isEmpty { state.drained = promise }
            return state.connections.isEmpty
        }
        if isEmpty { promise.succeed() }
        let timer = eventLoop.scheduleTask(in: time) { self.endConnections() }
        // It cannot fail: `connectionClosed` succeeds it.
        try? await promise.futureResult.get()
        timer.cancel()
    }

    /// Ends every connection without ceremony.
    func endConnections() {
        for connection in self.state.withLockedValue({ Array($0.connections.values) }) { connection.abort() }
    }
}
