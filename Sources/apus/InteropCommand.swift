import ArgumentParser

/// `apus interop`
struct InteropCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "interop",
        abstract: "Take part in interoperability tests, play devious baton, and fetch with early data.",
        subcommands: [InteropRunnerCommand.self, BatonCommand.self, FetchCommand.self],
        defaultSubcommand: InteropRunnerCommand.self
    )
}
