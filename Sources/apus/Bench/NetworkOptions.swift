import ArgumentParser
import Glibc
import NetworkEmulation
import NetworkModel

/// The options of a measurement over an emulated network.
struct NetworkOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Emulate this network between client and server.", valueName: "name|file"))
    var network: String?

    @Option(
        help: ArgumentHelp(
            "Decides which packets are lost and delayed how; the default is 1. The same seed means the same fate.",
            valueName: "n"
        )
    )
    var seed: UInt64?

    /// The client's half: the network is there, and its server is the target.
    @Flag(help: .private)
    var withinNetwork = false

    func validate(target: String?) throws {
        guard self.seed == nil || self.network != nil else {
            throw ValidationError("--seed is for --network, and without effect without it.")
        }
        guard self.network == nil || target == nil || self.withinNetwork else {
            throw ValidationError("--network is for the command's own server; leave out --target.")
        }
    }

    /// - Returns: nil when no network is to be emulated by this process.
    /// - Throws: `NetworkError` with `usage` or `unreadable`.
    func request() throws(NetworkError) -> EmulationRequest? {
        guard let network = self.network, !self.withinNetwork else { return nil }
        return EmulationRequest(network: try Network(nameOrFile: network), seed: self.seed ?? 1)
    }
}

extension NetworkError.Code {
    /// Its code in sysexits(3).
    var exitCode: CInt {
        switch self {
        case .usage: EX_USAGE
        case .unreadable: EX_NOINPUT
        case .unavailable: EX_UNAVAILABLE
        // The code of an emulator that fails.
        default: EX_IOERR
        }
    }
}
