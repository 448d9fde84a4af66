import HTTPSemantics
import HTTPTypes
import WebSocket
import WebTransport

/// What a path does with a WebTransport session.
protocol WebTransportRoute: Sendable {
    /// Looks at the request before the session begins.
    func admission(_ request: HTTPRequest, _ query: Query) -> SessionAdmission
    func serve(_ session: WebTransportSession, _ query: Query) async throws
}

/// What a path does with a session, over either transport.
protocol SessionRoute: WebTransportRoute {
    func serve(_ session: WebSocketSession, _ query: Query) async throws
}

extension WebTransportRoute {
    func admission(_ request: HTTPRequest, _ query: Query) -> SessionAdmission { .accept() }
}

/// The paths that begin sessions.
struct SessionRoutes: Sendable {
    private let routes: [String: any WebTransportRoute]

    init(includesTestEndpoints: Bool) {
        var routes: [String: any WebTransportRoute] = [
            "/echo": EchoEndpoint(),
            "/sink": SinkEndpoint(),
            "/source": SourceEndpoint(),
            "/close": CloseEndpoint(),
        ]
        if includesTestEndpoints {
            for (path, endpoint) in TestEndpoints.make() { routes[path] = endpoint }
        }
        self.routes = routes
    }

    /// All of them.
    var paths: Set<String> { Set(self.routes.keys) }

    func admission(_ request: HTTPRequest) -> SessionAdmission {
        let (path, query) = Query.split(request.path ?? "/")
        // WebSocket comes with a GET, or with a protocol of that name (RFC 8441 § 4).
        let isWebTransport = request.extendedConnectProtocol?.hasPrefix("webtransport") ?? false
        guard let route = self.routes[path], isWebTransport || route is any SessionRoute else {
            let known = self.routes.filter { isWebTransport || $0.value is any SessionRoute }.keys.sorted()
            return .refuse(
                .notFound,
                reason: "there is no session endpoint at this path; there are \(known.joined(separator: ", "))"
            )
        }
        return route.admission(request, query)
    }

    func serve(_ session: WebTransportSession) async throws {
        let (path, query) = Query.split(session.request.path ?? "/")
        try await self.routes[path]?.serve(session, query)
    }

    func serve(_ session: WebSocketSession) async throws {
        let (path, query) = Query.split(session.request.path ?? "/")
        guard let route = self.routes[path] as? any SessionRoute else { return }
        try await route.serve(session, query)
    }
}
