import HTTPSemantics
import HTTPTypes
import NIOCore

/// `GET /metrics`, in front of other resources.
///
/// Numbers tell a stranger how a server is doing and which of his floods go unnoticed. So only the plain listener has
/// it, which is on loopback, and only under a name of loopback: a page elsewhere could otherwise have its own name
/// resolve to this machine and read it.
struct MetricsPage: Sendable {
    let registry: PrometheusRegistry
    let others: ResourceHandler

    func response(to request: HTTPRequest) -> ResourceResponse {
        guard Query.split(request.path ?? "/").path == "/metrics" else { return self.others(request) }
        guard Self.isLoopback(request.authority) else {
            return .text(.forbidden, "Metrics are for this machine: ask for them at localhost.\n")
        }
        var response = ResourceResponse(
            status: .ok,
            contentType: PrometheusRegistry.contentType,
            body: ByteBuffer(string: self.registry.text)
        )
        response.head.headerFields[.cacheControl] = "no-store"
        return response
    }

    private static func isLoopback(_ authority: String?) -> Bool {
        guard let authority = authority?.lowercased() else { return false }
        return ["localhost", "127.0.0.1", "[::1]"].contains { host in
            authority == host || authority.hasPrefix(host + ":")
        }
    }
}
