package import HTTPTypes
package import Logging
import NIOConcurrencyHelpers
package import NIOCore

/// Logs refused requests for sessions, so that whoever sees "Opening handshake failed" in a browser finds out why,
/// without letting a peer fill the log.
package final class RefusalLog: Sendable {
    /// Enough to see what a misconfigured page does; the rest of the interval is only counted.
    private static let linesPerInterval = 10
    private static let interval = TimeAmount.minutes(1)

    private struct State {
        var intervalStart: NIODeadline?
        var lines = 0
        var suppressed = 0
    }

    private let logger: Logger
    private let state = NIOLockedValueBox(State())

    package init(logger: Logger) {
        self.logger = logger
    }

    /// Writes one line at `notice`, such as `WebSocket refused: …`.
    /// - Parameters:
    ///   - transport: what the request was for.
    ///   - status: what answers it; nil when its stream is reset.
    ///   - remote: whom it came from.
    package func log(
        _ transport: StaticString,
        _ reason: @autoclosure () -> String,
        of request: HTTPRequest,
        status: HTTPResponse.Status?,
        from remote: @autoclosure () -> SocketAddress?,
        at now: NIODeadline
    ) {
        let suppressed: Int? = self.state.withLockedValue { state in
            if state.intervalStart.map({ now - $0 >= Self.interval }) ?? true {
                state.intervalStart = now
                state.lines = 0
            }
            guard state.lines < Self.linesPerInterval else {
                state.suppressed += 1
                return nil
            }
            state.lines += 1
            defer { state.suppressed = 0 }
            return state.suppressed
        }
        guard let suppressed else { return }
        var metadata: Logger.Metadata = [
            "status": "\(status.map { String($0.code) } ?? "none")",
            "path": "\(request.path ?? "")",
            "origin": "\(request.headerFields[.origin] ?? "none")",
            "remote": "\(remote().map(Self.text) ?? "unknown")",
        ]
        if suppressed > 0 { metadata["suppressed"] = "\(suppressed)" }
        self.logger.notice("\(transport) refused: \(reason())", metadata: metadata)
    }

    /// As in a URL: NIO's own description says the address twice.
    private static func text(_ address: SocketAddress) -> String {
        guard let ip = address.ipAddress, let port = address.port else { return "\(address)" }
        return ip.contains(":") ? "[\(ip)]:\(port)" : "\(ip):\(port)"
    }
}
