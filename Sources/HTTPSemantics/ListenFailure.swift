import Glibc
import NIOCore

/// Why a listener could not be opened, and what to do about it: the same sentence for TCP and UDP.
package struct ListenFailure: CustomStringConvertible {
    private let place: String
    private let reason: String
    /// Whether the host's name cannot be resolved.
    package let isOfUnknownHost: Bool

    /// - Parameter transport: `TCP` or `UDP`.
    package init(_ transport: StaticString, host: String, port: Int, _ error: any Error) {
        self.place = "\(host.contains(":") ? "[\(host)]" : host):\(port) (\(transport))"
        self.isOfUnknownHost = error is SocketAddressError.UnknownHost
        self.reason =
            switch (error as? IOError)?.errnoCode {
            case EADDRINUSE:
                "the port is in use; stop the program that uses it or choose another port"
            case EACCES:
                "permission denied; choose a port from 1024 up or grant the right to bind lower ones"
            case EADDRNOTAVAIL:
                "this machine does not have that address; choose another host"
            case EMFILE:
                "too many files are open; raise the limit with ulimit -n, or use fewer loops"
            case let code?:
                String(cString: strerror(code))
            case nil where error is SocketAddressError.UnknownHost:
                "the name cannot be resolved; write an address of this machine, or :: for all"
            case nil:
                "\(error)"
            }
    }

    package var description: String { "cannot listen on \(self.place): \(self.reason)" }
}
