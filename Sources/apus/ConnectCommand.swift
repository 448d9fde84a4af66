import ArgumentParser
import Credentials
import Glibc
import HTTPSemantics
import HTTPTypes
import Logging
import NIOPosix
import WebSocket
import WebTransport

/// `apus connect`
struct ConnectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connect",
        abstract: "Talk to a WebTransport or WebSocket server by hand.",
        discussion: """
            An https:// URL is opened with WebTransport, wss:// and ws:// with WebSocket. Each line of standard input is \
            sent; what arrives is printed on standard output, after what it came over. Everything else goes to \
            standard error. The end of input or Ctrl-C closes the session, once what is on its way has come back.

            Over WebTransport, lines go on one bidirectional stream, unless --datagram or --unidirectional is given. \
            What the server sends on a stream is shown line by line.

              apus connect https://localhost:4433/echo --hash 5f2c…
              printf 'a\\nb\\n' | apus connect https://localhost:4433/echo --datagram --hash 5f2c…
              apus connect ws://localhost:8080/echo
            """
    )

    @Argument(help: "https://host:port/path, wss://host:port/path or ws://host:port/path")
    var url: String

    @Flag(help: "Send each line as a datagram.")
    var datagram = false

    @Flag(help: "Send each line on a unidirectional stream of its own.")
    var unidirectional = false

    @OptionGroup var trust: TrustOptions

    @Option(help: ArgumentHelp("Say that the request comes from a page of this origin.", valueName: "origin"))
    var origin: String?

    @Option(help: ArgumentHelp("A further field of the request. May be repeated.", valueName: "name:value"))
    var header: [String] = []

    @Option(help: ArgumentHelp("An application protocol to offer, the best first. May be repeated.", valueName: "name"))
    var subprotocol: [String] = []

    func validate() throws {
        guard !self.datagram || !self.unidirectional else {
            throw ValidationError("--datagram and --unidirectional exclude each other.")
        }
        guard let url = SessionURL(self.url), url.scheme != "http" else {
            throw ValidationError(
                "\(self.url.debugDescription) is no URL of a session; write https://host:port/path for WebTransport, "
                    + "wss:// or ws:// for WebSocket."
            )
        }
        guard url.scheme == "https" || !(self.datagram || self.unidirectional) else {
            throw ValidationError("--datagram and --unidirectional are for WebTransport; write https:// in the URL.")
        }
        guard url.scheme != "ws" || (self.trust.hash.isEmpty && !self.trust.insecure) else {
            throw ValidationError("a ws:// server shows no certificate; leave --hash and --insecure out.")
        }
        _ = try self.fields()
    }

    func run() async throws {
        let console = ConnectConsole()
        do {
            if SessionURL(self.url)?.scheme == "https" {
                try await self.connectWebTransport(console)
            } else {
                try await self.connectWebSocket(console)
            }
        } catch let error as ConnectionLost {
            throw CommandFailure.report(error.message, EX_UNAVAILABLE)
        } catch let error as WebTransportError where error.code == .unknownHost {
            throw CommandFailure.report(error)
        } catch let error as WebTransportError {
            throw CommandFailure.report(Self.sentence(for: error), EX_UNAVAILABLE)
        } catch let error as WebSocketError where error.code == .unknownHost {
            throw CommandFailure.report(error)
        } catch let error as WebSocketError {
            throw CommandFailure.report(error.message, EX_UNAVAILABLE)
        } catch let error as Interrupted {
            throw ExitCode(Interruption.exitCode(error.signal))
        } catch {
            throw CommandFailure.report(error)
        }
    }

    private func connectWebTransport(_ console: ConnectConsole) async throws {
        let configuration = WebTransportClient.Configuration(credentials: try self.trust.credentials())
        let outbound: WebTransportConversation.Outbound =
            self.datagram ? .datagrams : self.unidirectional ? .unidirectionalStreams : .stream
        let end = try await Self.closing { hangUp in
            try await WebTransportClient.withSession(
                to: self.url,
                configuration: configuration,
                fields: self.fields(),
                subprotocols: self.subprotocol,
                eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
                logger: Self.silence
            ) { session in
                hangUp.connected { session.close() }
                return try await WebTransportConversation(session: session, console: console, outbound: outbound)
                    .run(StandardInputLines())
            }
        }
        switch end {
        case .closedLocally: console.status("closed")
        case .closedByPeer(let close):
            let reason = close.reason.isEmpty ? "no reason" : PrintableText.text(close.reason)
            console.status("closed by the server with code \(close.code), \(reason)")
        case .abnormal(let what): throw ConnectionLost(message: "the connection was lost: \(what)")
        }
    }

    private func connectWebSocket(_ console: ConnectConsole) async throws {
        var configuration = WebSocketClientConfiguration(subprotocols: self.subprotocol, fields: try self.fields())
        if SessionURL(self.url)?.scheme == "wss" { configuration.credentials = try self.trust.credentials() }
        let settings = configuration
        let close = try await Self.closing { hangUp in
            let session = try await WebSocketClient.connect(
                to: self.url,
                configuration: settings,
                eventLoopGroup: MultiThreadedEventLoopGroup.singleton
            )
            hangUp.connected { session.close() }
            return await WebSocketConversation(session: session, console: console).run(StandardInputLines())
        }
        guard close.code != .abnormal else {
            throw ConnectionLost(message: "the connection was lost without a Close frame; see the server's log")
        }
        let reason = close.reason.isEmpty ? "no reason" : PrintableText.text(close.reason)
        console.status("closed with code \(close.code), \(reason)")
    }

    /// Runs a conversation, which the first signal asks to close, and the second one ends.
    private static func closing<Result: Sendable>(
        _ body: @escaping @Sendable (HangUp) async throws -> Result
    ) async throws -> Result {
        let (interruption, hangUp) = (Interruption(), HangUp())
        return try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask { try await body(hangUp) }
            group.addTask {
                for await signal in interruption.signals {
                    guard hangUp.request() else { throw Interrupted(signal: signal) }
                }
                return nil
            }
            defer { group.cancelAll() }
            while let result = try await group.next() {
                if let result { return result }
            }
            preconditionFailure("the conversation returns or throws")
        }
    }

    private func fields() throws -> HTTPFields {
        var fields = HTTPFields()
        if let origin = self.origin { fields[.origin] = origin }
        for text in self.header {
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let name = HTTPField.Name(String(parts[0])) else {
                throw ValidationError("\(text.debugDescription) is no header field; write --header NAME:VALUE.")
            }
            let value = parts[1].drop { $0 == " " || $0 == "\t" }
            guard HTTPField.isValidValue(String(value)) else {
                throw ValidationError("the value of the header field \(parts[0]) holds characters that none may hold.")
            }
            fields.append(HTTPField(name: name, value: String(value)))
        }
        return fields
    }

    /// What to check when the server has refused.
    private static func sentence(for error: WebTransportError) -> String {
        guard let status = error.status else { return error.message }
        let advice =
            switch status.code {
            case 403: "; the server's log says why, most often the --origin"
            case 404: "; check the path of the URL"
            case 429: "; it has as many sessions as it takes, try later"
            default: "; see the server's log"
            }
        // HTTP/3 has no reason phrases: after the number comes a blank and nothing.
        return "the server refused the session with status \(status.code)\(advice)"
    }

    /// What people must know is told on standard error in our own words.
    private static let silence = Logger(label: "apus.connect") { _ in SwiftLogNoOpLogHandler() }
}

/// The session ended without a close.
private struct ConnectionLost: Error {
    var message: String
}
