import ArgumentParser
import Credentials
import Glibc
import HTTPSemantics
import HTTPTypes
import Logging
import NIOCore
import NIOPosix
import WebTransport

/// `apus interop fetch`
struct FetchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fetch",
        abstract: "Fetch a resource over HTTP/3, several times, each on a connection of its own.",
        discussion: """
            The second connection resumes the first one's session, and its request travels before the handshake (0-RTT) \
            when the server allows it. A line for each says what came of it.

              apus interop fetch https://localhost:4433/healthz --hash 5f2c…
            """
    )

    @Argument(help: "https://host:port/path")
    var url: String

    @Option(help: ArgumentHelp("How often.", valueName: "n"))
    var times = 2

    @Option(help: "Whether the request may travel before the handshake: on or off.")
    var earlyData = SwitchOption.on

    @OptionGroup var trust: TrustOptions

    func validate() throws {
        guard SessionURL(self.url)?.scheme == "https" else {
            throw ValidationError("\(self.url.debugDescription) is no URL of HTTP/3; write https://host:port/path.")
        }
        guard (1...1000).contains(self.times) else { throw ValidationError("--times must be between 1 and 1000.") }
    }

    func run() async throws {
        do {
            var configuration = WebTransportClient.Configuration(credentials: try self.trust.credentials())
            configuration.resumption = ResumptionStore()
            configuration.transport.earlyData = self.earlyData == .on
            let client = try await WebTransportClient.bind(
                configuration: configuration,
                eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
                logger: Logger(label: "apus.interop") { _ in SwiftLogNoOpLogHandler() }
            )
            try await Interruption().cancelling { [url, times] in
                for _ in 0..<times {
                    let resource = try await client.fetch(url)
                    let beginning =
                        resource.isEarlyDataAccepted
                        ? "early data" : resource.isResumed ? "a resumed session" : "a full handshake"
                    FileDescriptorOutput.standardOutput(
                        "status \(resource.head.status.code), \(resource.body.readableBytes) bytes, \(beginning)\n"
                    )
                    await client.settled()
                }
            }
            await client.close()
        } catch let error as Interrupted {
            throw ExitCode(Interruption.exitCode(error.signal))
        } catch let error as WebTransportError {
            throw CommandFailure.report(error.message, EX_UNAVAILABLE)
        } catch {
            throw CommandFailure.report(error)
        }
    }
}
