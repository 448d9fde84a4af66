public import Credentials
public import HTTPSemantics

/// The server that is measured: its echo endpoint over both kinds of session, on one authority.
public struct BenchmarkTarget: Sendable {
    /// `https://host:port/path`, for WebTransport.
    public let webTransportURL: String
    /// The same with `wss`.
    public let webSocketURL: String
    /// How its certificate is checked, by both clients.
    public let credentials: ClientCredentials
    /// Whether this program started the server.
    public let isOwnServer: Bool

    /// - Parameter url: `https`; a path of `/` alone stands for the `/echo` of an Apus server.
    /// - Throws: `BenchmarkError` with `usage` for any other scheme.
    public init(url: SessionURL, credentials: ClientCredentials, isOwnServer: Bool = false) throws(BenchmarkError) {
        guard url.scheme == "https" else {
            throw BenchmarkError(
                .usage,
                "the target \(url.scheme)://\(url.authority) is not measured over TLS as all transports must be; write "
                    + "https://host:port"
            )
        }
        let path = url.path == "/" ? "/echo" : url.path
        self.webTransportURL = "https://\(url.authority)\(path)"
        self.webSocketURL = "wss://\(url.authority)\(path)"
        self.credentials = credentials
        self.isOwnServer = isOwnServer
    }
}
