import Logging
import NIOConcurrencyHelpers
import NIOCore

/// Logs refusals that an operator should know of, without letting a peer fill the log.
final class RefusalLog: Sendable {
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

    init(logger: Logger) {
        self.logger = logger
    }

    func log(_ message: @autoclosure () -> String, path: String?, at now: NIODeadline) {
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
        var metadata: Logger.Metadata = [LoggingKeys.path: "\(path ?? "")"]
        if suppressed > 0 { metadata[LoggingKeys.suppressed] = "\(suppressed)" }
        self.logger.notice("WebSocket refused: \(message())", metadata: metadata)
    }
}
