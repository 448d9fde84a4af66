import ArgumentParser
import Credentials
import Glibc
import WebSocket
import WebTransport

/// How a command ends when it cannot do what was asked: one sentence on standard error, and a code of sysexits(3).
enum CommandFailure {
    /// Writes the sentence and gives the exit code to throw.
    static func report(_ message: String, _ code: CInt) -> ExitCode {
        FileDescriptorOutput.standardError("apus: \(message)\n")
        return ExitCode(code)
    }

    /// Translates what the modules throw.
    static func report(_ error: any Error) -> any Error {
        switch error {
        case is ExitCode, is ValidationError, is CleanExit:
            error
        case let error as CredentialsError:
            Self.report(error.message, Self.code(for: error.code))
        case let error as WebTransportError where error.code == .bindFailed:
            Self.report(error.message, EX_UNAVAILABLE)
        case let error as WebTransportError where error.code == .unknownHost:
            Self.report(error.message, EX_NOHOST)
        case let error as WebSocketError where error.code == .unknownHost:
            Self.report(error.message, EX_NOHOST)
        case let error as WebSocketError where error.code == .bindFailed:
            Self.report(error.message, EX_UNAVAILABLE)
        default:
            Self.report("\(error)", EX_SOFTWARE)
        }
    }

    private static func code(for code: CredentialsError.Code) -> CInt {
        switch code {
        case .invalidRequest: EX_USAGE
        case .unwritable: EX_CANTCREAT
        case .unreadable: EX_NOINPUT
        case .malformed, .keyMismatch, .expired, .notYetValid: EX_DATAERR
        // What a server has shown.
        case .untrusted, .wrongName, .wrongFingerprint: EX_UNAVAILABLE
        default: EX_SOFTWARE
        }
    }
}

/// Whole texts on the standard descriptors, past the C library's buffers.
enum FileDescriptorOutput {
    static func standardOutput(_ text: String) { self.write(text, to: STDOUT_FILENO) }
    static func standardError(_ text: String) { self.write(text, to: STDERR_FILENO) }

    private static func write(_ text: String, to descriptor: CInt) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            // A reader that is gone has nothing to be told.
            guard written > 0 || errno == EINTR else { return }
            rest = rest.dropFirst(max(written, 0))
        }
    }
}
