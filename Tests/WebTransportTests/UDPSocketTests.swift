import Glibc
import NIOCore
import QUIC
import Testing

@testable import WebTransport

@Suite("UDP socket")
struct UDPSocketTests {
    private static func address(_ text: String, _ port: Int) throws -> SocketAddress {
        try SocketAddress(ipAddress: text, port: port)
    }

    /// - Returns: what became of a run of packets of 1,000 bytes.
    private static func send(
        _ count: Int,
        with socket: inout UDPSocket,
        to remote: SocketAddress
    ) throws -> UDPSocket.Outcome {
        let path = NetworkPath(
            local: NetworkAddress(try Self.address("127.0.0.1", 0))!,
            remote: NetworkAddress(remote)!
        )
        return [UInt8](repeating: 7, count: 1000 * count).withUnsafeBytes {
            socket.send(Transmit(path: path, ecn: 0, bytes: $0, segmentSize: 1000))
        }
    }

    @Test("A send that fails costs its packets, and the socket goes on", arguments: [1, 5])
    func failure(count: Int) throws {
        var socket = try UDPSocket(bindingTo: Self.address("127.0.0.1", 0), sharing: .none)
        let receiver = try UDPSocket(bindingTo: Self.address("127.0.0.1", 0), sharing: .none)
        defer {
            close(socket.descriptor)
            close(receiver.descriptor)
        }
        // Nobody may send to the address of all without asking the kernel first (EACCES).
        #expect(try Self.send(count, with: &socket, to: Self.address("255.255.255.255", 9)) == .sent)
        #expect(socket.statistics.failedSends == 1)
        let port = receiver.port
        #expect(try Self.send(count, with: &socket, to: Self.address("127.0.0.1", port)) == .sent)
        #expect(socket.statistics.failedSends == 1)
        #expect(receiver.received().map(\.count) == [Int](repeating: 1000, count: count))
    }

    /// Loopback's own MTU is 64 KiB: the kernel cuts there, too.
    @Test(
        "With and without segmentation the same packets arrive [61]",
        arguments: [true, false],
        [(1200, 1200), (1200, 1201), (1200, 40 * 1200), (1452, 40 * 1452 + 1)]
    )
    func segmentation(isOn: Bool, run: (segment: Int, count: Int)) throws {
        var socket = try UDPSocket(bindingTo: Self.address("127.0.0.1", 0), sharing: .none)
        let receiver = try UDPSocket(bindingTo: Self.address("127.0.0.1", 0), sharing: .none)
        defer {
            close(socket.descriptor)
            close(receiver.descriptor)
        }
        // Where the kernel knows none, both are the same.
        socket.canSegment = socket.canSegment && isOn
        let path = NetworkPath(
            local: NetworkAddress(try Self.address("127.0.0.1", 0))!,
            remote: NetworkAddress(try Self.address("127.0.0.1", receiver.port))!
        )
        let bytes = (0..<run.count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        let outcome = bytes.withUnsafeBytes {
            socket.send(Transmit(path: path, ecn: 1, bytes: $0, segmentSize: run.segment))
        }
        #expect(outcome == .sent && socket.statistics.failedSends == 0)
        let expected = stride(from: 0, to: run.count, by: run.segment).map {
            Array(bytes[$0..<min($0 + run.segment, run.count)])
        }
        #expect(receiver.received() == expected)
    }
}

extension UDPSocket {
    fileprivate var port: Int {
        // In network order, behind the address family.
        var name = [UInt8](repeating: 0, count: 128)
        var length = socklen_t(name.count)
        name.withUnsafeMutableBytes {
            _ = getsockname(self.descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), &length)
        }
        return Int(name[2]) << 8 | Int(name[3])
    }

    /// The packets that have arrived; loopback delivers before a send returns.
    fileprivate func received() -> [[UInt8]] {
        var packets: [[UInt8]] = []
        var bytes = [UInt8](repeating: 0, count: 2048)
        while case let count = recv(self.descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT)), count >= 0 {
            packets.append(Array(bytes[..<count]))
        }
        return packets
    }
}
