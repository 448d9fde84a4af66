import Foundation
import HTTPSemantics
import HTTPTypes
import WebSocket
import WebTransport

/// What a path does with a session, over either transport.
protocol SessionRoute: Sendable {
    /// Looks at the query before the session begins.
    func admission(_ query: Query) -> SessionAdmission
    func serve(_ session: WebTransportSession, _ query: Query) async throws
    func serve(_ session: WebSocketSession, _ query: Query) async throws
}

extension SessionRoute {
    func admission(_ query: Query) -> SessionAdmission { .accept() }
}

/// The query of a request target: `name=value` pairs, percent-encoded (WHATWG URL § 5.1).
struct Query: Sendable {
    private let values: [String: String]

    /// The path of a request target, and its query.
    static func split(_ target: String) -> (path: String, query: Query) {
        let end = target.firstIndex(of: "?") ?? target.endIndex
        return (String(target[..<end]), Query(target[end...].dropFirst()))
    }

    private init(_ text: Substring) {
        var values: [String: String] = [:]
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let decoded = parts.map { part in
                let spaced = part.replacing("+", with: " ")
                return spaced.removingPercentEncoding ?? String(spaced)
            }
            values[decoded[0]] = decoded.count > 1 ? decoded[1] : ""
        }
        self.values = values
    }

    subscript(name: String) -> String? { self.values[name] }

    /// A number in a range, its default when it is absent, or nil when it is none.
    func number(_ name: String, in range: ClosedRange<Int>, default fallback: Int) -> Int? {
        guard let text = self.values[name] else { return fallback }
        return Int(text).flatMap { range.contains($0) ? $0 : nil }
    }
}

/// The paths that begin sessions.
struct SessionRoutes: Sendable {
    private let routes: [String: any SessionRoute]

    init(includesTestEndpoints: Bool) {
        var routes: [String: any SessionRoute] = [
            "/echo": EchoEndpoint(),
            "/sink": SinkEndpoint(),
            "/source": SourceEndpoint(),
            "/close": CloseEndpoint(),
        ]
        if includesTestEndpoints {
            routes["/test/reset"] = AbortEndpoint(signal: .reset)
            routes["/test/stop"] = AbortEndpoint(signal: .stop)
            routes["/test/streams"] = StreamsEndpoint()
        }
        self.routes = routes
    }

    private func route(of request: HTTPRequest) -> (any SessionRoute, Query)? {
        let (path, query) = Query.split(request.path ?? "/")
        return self.routes[path].map { ($0, query) }
    }

    func admission(_ request: HTTPRequest) -> SessionAdmission {
        guard let (route, query) = self.route(of: request) else {
            let known = self.routes.keys.sorted().joined(separator: ", ")
            return .refuse(.notFound, reason: "there is no session endpoint at this path; there are \(known)")
        }
        return route.admission(query)
    }

    func serve(_ session: WebTransportSession) async throws {
        guard let (route, query) = self.route(of: session.request) else { return }
        try await route.serve(session, query)
    }

    func serve(_ session: WebSocketSession) async throws {
        guard let (route, query) = self.route(of: session.request) else { return }
        try await route.serve(session, query)
    }
}
