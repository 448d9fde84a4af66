import CNetworkEmulation
import Foundation
import NetworkModel
import Testing

@testable import NetworkEmulation

/// A real emulated network for the time of a test: namespaces, and an emulator on a thread of its own.
enum EmulatedPair {
    /// Why this machine cannot have one; nil when it can.
    static let obstacle: String? = {
        do throws(NetworkError) {
            _ = try NamespacePair(clientMTU: 1_500, serverMTU: 1_500)
            return nil
        } catch {
            return error.message
        }
    }()

    /// Gives `body` a socket in each namespace, on a thread that may block.
    /// - Returns: the body's result, and what the emulator says it has done.
    static func run<Result: Sendable>(
        _ network: Network,
        seed: UInt64 = 1,
        _ body: @escaping @Sendable (UDPPair) throws -> Result
    ) async throws -> (Result, EmulationReport) {
        try await Self.onThread {
            let namespaces = try NamespacePair(clientMTU: network.up.mtu, serverMTU: network.down.mtu)
            let control = Pipe()
            let (client, server) = (namespaces.clientDevice, namespaces.serverDevice)
            let (input, output) = (control.fileHandleForReading.fileDescriptor, control.fileHandleForWriting)
            let emulation = Background {
                var emulator = Emulator(network, seed: seed, client: client, server: server)
                try emulator.run(until: input)
                return emulator.report
            }
            let outcome = Swift.Result {
                try body(UDPPair(client: namespaces.client, server: namespaces.server))
            }
            // The emulator reads the devices until it has ended.
            try output.close()
            let report = try emulation.join()
            _ = consume namespaces
            return (try outcome.get(), report)
        }
    }

    private static func onThread<Result: Sendable>(
        _ body: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Swift.Result { try body() }) }
        }
    }
}

/// Work on a thread of its own, whose result is waited for by blocking.
private final class Background<Output: Sendable>: @unchecked Sendable {
    // Written before the semaphore is signalled, and read after that.
    private var outcome: Result<Output, any Error>?
    private let done = DispatchSemaphore(value: 0)

    init(_ body: @escaping @Sendable () throws -> Output) {
        Thread.detachNewThread {
            self.outcome = Result { try body() }
            self.done.signal()
        }
    }

    func join() throws -> Output {
        self.done.wait()
        return try self.outcome!.get()
    }
}

/// A UDP socket in the client's namespace that sends to one in the server's.
struct UDPPair: Sendable {
    private let sender: CInt
    private let receiver: CInt

    init(client: NetworkNamespace, server: NetworkNamespace) throws {
        let datagrams = CInt(SOCK_DGRAM.rawValue)
        self.sender = CNetworkEmulation_socket(client.user, client.network, AF_INET, datagrams)
        self.receiver = CNetworkEmulation_socket(server.user, server.network, AF_INET, datagrams)
        try #require(self.sender >= 0 && self.receiver >= 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(7_000).bigEndian
        address.sin_addr.s_addr = inet_addr(NamespacePair.serverAddress)
        let (bound, connected) = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                let length = socklen_t(MemoryLayout<sockaddr_in>.size)
                return (bind(self.receiver, pointer, length), connect(self.sender, pointer, length))
            }
        }
        try #require(bound == 0 && connected == 0)
    }

    /// Sends a datagram that begins with its number.
    func send(_ number: UInt32, size: Int = 4) throws {
        let bytes = withUnsafeBytes(of: number.bigEndian) { Array($0) } + [UInt8](repeating: 0, count: size - 4)
        try #require(Foundation.send(self.sender, bytes, bytes.count, 0) == bytes.count)
    }

    /// - Returns: the number of the next datagram; nil when none comes within the time.
    func receive(within milliseconds: CInt = 5_000) -> UInt32? {
        var wanted = pollfd(fd: self.receiver, events: CShort(POLLIN), revents: 0)
        guard poll(&wanted, 1, milliseconds) == 1 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 2_000)
        guard recv(self.receiver, &bytes, bytes.count, 0) >= 4 else { return nil }
        return bytes[..<4].reduce(0) { $0 << 8 | UInt32($1) }
    }

    func close() {
        Foundation.close(self.sender)
        Foundation.close(self.receiver)
    }
}
