import NIOCore
import NIOPosix

/// Resolves a host name or address, on a thread that may block.
/// - Throws: `WebTransportError` with `unknownHost`.
func resolve(_ host: String, port: Int) async throws -> SocketAddress {
    // What is no address is a name.
    if let address = try? SocketAddress(ipAddress: host, port: port) { return address }
    do {
        return try await NIOThreadPool.singleton.runIfActive {
            try SocketAddress.makeAddressResolvingHost(host, port: port)
        }
    } catch is SocketAddressError.UnknownHost {
        throw WebTransportError(
            .unknownHost,
            "the name \(host) cannot be resolved; check its spelling and the network"
        )
    }
}
