import CNetworkEmulation
import Glibc

/// Two network namespaces, of a client and a server, each with a device whose packets the emulator carries.
///
/// Nothing of it outlives its descriptors: when they are closed, or this process ends however it does, the devices and
/// the namespaces are gone.
public struct NamespacePair: ~Copyable {
    /// Private addresses (RFC 1918) that only these two namespaces see.
    public static let clientAddress = "10.0.0.1"
    public static let serverAddress = "10.0.0.2"
    /// What each namespace calls its device.
    public static let deviceName = "link"

    public let client: NetworkNamespace
    public let server: NetworkNamespace
    /// The client's device: each read and write is one IP packet.
    public let clientDevice: CInt
    public let serverDevice: CInt

    /// - Parameters:
    ///   - clientMTU: the largest packet that the client sends.
    ///   - serverMTU: the largest packet that the server sends.
    /// - Throws: `NetworkError` with `unavailable`, whose message says what is missing and how to allow it.
    public init(clientMTU: Int, serverMTU: Int) throws(NetworkError) {
        let (client, server) = (inet_addr(Self.clientAddress), inet_addr(Self.serverAddress))
        let devices = [
            CNetworkEmulation_device(address: client, peer: server, mtu: CInt(clientMTU)),
            CNetworkEmulation_device(address: server, peer: client, mtu: CInt(serverMTU)),
        ]
        var pair = CNetworkEmulation_pair()
        var step = CNetworkEmulation_step_fork
        let error = CNetworkEmulation_make_pair(devices, &pair, &step)
        guard error == 0 else { throw MissingFeature(step, error).error }
        self.client = NetworkNamespace(user: pair.user, network: pair.network.0)
        self.server = NetworkNamespace(user: pair.user, network: pair.network.1)
        self.clientDevice = pair.tun.0
        self.serverDevice = pair.tun.1
    }

    deinit {
        for descriptor in [
            self.client.user, self.client.network, self.server.network, self.clientDevice, self.serverDevice,
        ] { close(descriptor) }
    }
}

/// A namespace that programs and sockets may be in, by descriptors that belong to a `NamespacePair`.
public struct NetworkNamespace: Sendable {
    public let user: CInt
    public let network: CInt
}
