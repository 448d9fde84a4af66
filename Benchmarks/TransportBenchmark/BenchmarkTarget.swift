public import Credentials
public import HTTPSemantics

/// The server that is measured: its echo endpoint over both kinds of session, on one authority.
public struct BenchmarkTarget: Sendable {
    /// `https://host:port/path`, for WebTransport.
    public let webTransportURL: String
    /// The same with `wss`.
    public let webSocketURL: String
    let host: String
    /// `host:port`.
    let authority: String
    /// The certificates that it may have, where it is known by them: what a page can be told of it.
    public let fingerprints: [CertificateFingerprint]
    /// How its certificate is checked, by both clients.
    public let credentials: ClientCredentials
    /// Whether this program started the server.
    public let isOwnServer: Bool
    /// Its process, when it runs on this machine.
    public let process: Int32?
    /// The network device of this machine on the way to it; nil when that is not known.
    public let device: String?

    /// - Parameters:
    ///   - url: `https`; a path of `/` alone stands for the `/echo` of an Apus server.
    ///   - device: nil for the loopback device if the host is an address of it, else for none.
    /// - Throws: `BenchmarkError` with `usage` for any other scheme.
    public init(
        url: SessionURL,
        credentials: ClientCredentials,
        fingerprints: [CertificateFingerprint] = [],
        isOwnServer: Bool = false,
        process: Int32? = nil,
        device: String? = nil
    ) throws(BenchmarkError) {
        guard url.scheme == "https" else {
            throw BenchmarkError(
                .usage,
                "the target \(url.scheme)://\(url.authority) is not measured over TLS as all transports must be; write "
                    + "https://host:port"
            )
        }
        self.host = url.host
        self.authority = url.authority
        self.fingerprints = fingerprints
        let path = url.path == "/" ? "/echo" : url.path
        self.webTransportURL = "https://\(url.authority)\(path)"
        self.webSocketURL = "wss://\(url.authority)\(path)"
        self.credentials = credentials
        self.isOwnServer = isOwnServer
        self.process = process
        self.device = device ?? (Self.isLoopback(url.authority) ? WireUse.loopback : nil)
    }

    /// Whether a URL, or its authority, leads to this machine itself.
    public static func isLoopback(_ url: String) -> Bool {
        let authority = url.hasPrefix("https://") ? url.dropFirst("https://".count) : url[...]
        return ["127.", "[::1]", "localhost"].contains { authority.hasPrefix($0) }
    }
}
