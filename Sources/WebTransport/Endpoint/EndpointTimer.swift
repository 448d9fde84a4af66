import NIOCore

/// Wakes an endpoint at the earliest deadline of its connections.
struct EndpointTimer: NIOScheduledCallbackHandler, Sendable {
    let endpoint: NIOLoopBound<UDPEndpoint>

    func handleScheduledCallback(eventLoop: some EventLoop) {
        self.endpoint.value.timerRang()
    }
}
