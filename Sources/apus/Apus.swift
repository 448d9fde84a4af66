import ArgumentParser

/// The command.
@main
struct Apus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus",
        abstract: "A WebTransport server with a WebSocket endpoint beside it, and a benchmark across both.",
        discussion: """
            Begin with `apus serve` and open the address that it prints in Chromium. `apus bench` compares the \
            transports on this machine; `apus connect` talks to a server by hand.
            """,
        version: "0.1.0",
        subcommands: [
            ServeCommand.self, CertificateCommand.self, BenchCommand.self, ConnectCommand.self, InteropCommand.self,
            EmulateCommand.self,
        ]
    )
}
