import Credentials
import Glibc
import HTTPSemantics
import NIOCore
import NIOHTTP1
import NIOPosix
import TLS

/// Says of what went wrong on the way to a session what it means, and what to do.
struct ConnectFailure: Sendable {
    let target: SessionURL

    /// The error for the caller: `WebSocketError`, `CredentialsError` or `CancellationError`.
    func error(for error: any Error) -> any Error {
        switch error {
        case is CredentialsError, is WebSocketError, is CancellationError:
            error
        case let error as NIOConnectionError:
            // Each address may have failed in its way; the first is the one that the system prefers.
            if let failure = error.connectionErrors.first?.error { self.error(for: failure) } else { self.unknownHost }
        case ChannelError.connectTimeout:
            self.timedOut("did not answer; check the address, the server and the network")
        case let error as TLSError where error.code == .handshakeTimedOut:
            self.timedOut("did not finish the TLS handshake; \(self.otherScheme)")
        case let error as IOError where error.errnoCode == ECONNREFUSED:
            self.failed("nothing listens there; start the server or check the port")
        case let error as IOError where error.errnoCode == ECONNRESET || error.errnoCode == EPIPE:
            self.failed("the server reset the connection before the session began; \(self.otherScheme)")
        case let error as IOError:
            self.failed(String(cString: strerror(error.errnoCode)))
        case is HTTPParserError:
            self.failed("what the server answers is not HTTP; \(self.otherScheme)")
        case let error as TLSError:
            self.failed("\(error.message); \(self.otherScheme)")
        default:
            self.failed("\(error)")
        }
    }

    /// The connection ended although nothing was wrong with what came.
    var ended: WebSocketError {
        self.failed("the server ended the connection before the session began; \(self.otherScheme)")
    }

    func timedOut(_ what: String) -> WebSocketError {
        WebSocketError(code: .timedOut, message: "\(self.target.authority) \(what)")
    }

    private var unknownHost: WebSocketError {
        WebSocketError(
            code: .unknownHost,
            message: "the name \(self.target.host) cannot be resolved; check its spelling and the network"
        )
    }

    private func failed(_ reason: String) -> WebSocketError {
        WebSocketError(code: .connectFailed, message: "cannot connect to \(self.target.authority): \(reason)")
    }

    /// The commonest of mistakes: a server has a port for TLS and one without.
    private var otherScheme: String {
        self.target.isSecure ? "if the port is a plain one, write ws://" : "if the port is one for TLS, write wss://"
    }
}
