import ApusServer
import ArgumentParser
import Glibc
import HTTPSemantics
import Logging
import NIOPosix
import WebTransport

/// `apus interop baton`
struct BatonCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "baton",
        abstract: "Play devious baton with a server.",
        discussion: """
            A number is passed to and fro on streams of all kinds, and in datagrams, and grows until it is 0 again. The \
            URL's query says what the server begins with: baton=1 to 255, count=1 and more.

              apus interop baton 'https://localhost:4433/webtransport/devious-baton?baton=1&count=10' --hash 5f2c…
            """
    )

    @Argument(help: "https://host:port/webtransport/devious-baton?baton=B&count=N")
    var url: String

    @OptionGroup var trust: TrustOptions

    func validate() throws {
        guard SessionURL(self.url)?.scheme == "https" else {
            throw ValidationError("\(self.url.debugDescription) is no URL of a session; write https://host:port/path.")
        }
    }

    func run() async throws {
        do {
            let configuration = WebTransportClient.Configuration(credentials: try self.trust.credentials())
            let (baton, count) = BatonPlayer.parameters(ofURL: self.url)
            let outcome = try await Interruption().cancelling {
                try await WebTransportClient.withSession(
                    to: self.url,
                    configuration: configuration,
                    eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
                    logger: Logger(label: "apus.interop") { _ in SwiftLogNoOpLogHandler() }
                ) { try await BatonPlayer.playing($0, baton: baton, count: count).play() }
            }
            guard outcome.isComplete else {
                throw CommandFailure.report("the game ended before its time: \(outcome.end)", EX_PROTOCOL)
            }
            FileDescriptorOutput.standardOutput(
                "every baton is home: \(outcome.messages) arrived on streams, \(outcome.datagrams) in datagrams\n"
            )
        } catch let error as Interrupted {
            throw ExitCode(Interruption.exitCode(error.signal))
        } catch let error as WebTransportError {
            throw CommandFailure.report(error.message, EX_UNAVAILABLE)
        } catch {
            throw CommandFailure.report(error)
        }
    }
}
