public import ArgumentParser
public import Logging
import NIOCore
public import WebTransport

/// `--retry`
enum RetryOption: String, ExpressibleByArgument, CaseIterable {
    case auto
    case always
    case never

    var mode: WebTransportServer.RetryMode {
        switch self {
        case .auto: .auto(halfOpenThreshold: 128)
        case .always: .always
        case .never: .never
        }
    }
}

/// Something that is on or off.
enum SwitchOption: String, ExpressibleByArgument, CaseIterable {
    case on
    case off
}

/// A duration of at most a day, such as `500ms`, `30s` or `2m`.
struct DurationOption: ExpressibleByArgument, CustomStringConvertible {
    let amount: TimeAmount

    init(amount: TimeAmount) {
        self.amount = amount
    }

    init?(argument: String) {
        let digits = argument.prefix { $0.isNumber }
        guard let number = Int64(digits), (1...Self.longest.nanoseconds / 1_000_000).contains(number) else {
            return nil
        }
        switch argument.dropFirst(digits.count) {
        case "ms": self.amount = .milliseconds(number)
        case "s", "": self.amount = .seconds(number)
        case "m": self.amount = .minutes(number)
        default: return nil
        }
        guard self.amount <= Self.longest else { return nil }
    }

    private static let longest = TimeAmount.hours(24)

    var description: String { "\(self.amount.nanoseconds / 1_000_000_000)s" }
    var defaultValueDescription: String { self.description }
}

extension TransportOptions.CongestionControl: ExpressibleByArgument {}

extension Logger.Level: @retroactive ExpressibleByArgument {}
