import ArgumentParser

/// `apus interop`
struct InteropCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "interop",
        abstract: "Take part in interoperability tests, and play devious baton.",
        subcommands: [InteropRunnerCommand.self, BatonCommand.self],
        defaultSubcommand: InteropRunnerCommand.self
    )
}
