import NIOCore
import Testing

@testable import QUIC

@Suite("What a closed connection still says")
struct ClosingPacketTests {
    private static let here = NetworkAddress(try! SocketAddress(ipAddress: "192.0.2.1", port: 4433))!
    private static let peer = NetworkAddress(try! SocketAddress(ipAddress: "192.0.2.2", port: 1000))!
    private static let stranger = NetworkAddress(try! SocketAddress(ipAddress: "192.0.2.3", port: 1000))!

    private static func packet(size: Int, isAddressProved: Bool) -> ClosingPacket {
        ClosingPacket(
            [UInt8](repeating: 1, count: size),
            on: NetworkPath(local: Self.here, remote: Self.peer),
            isAddressProved: isAddressProved
        )
    }

    @Test("The first, second, fourth, eighth … datagram is answered (RFC 9000 § 10.2.1)")
    func backOff() {
        var packet = Self.packet(size: 40, isAddressProved: true)
        #expect(packet.isDue)
        packet.sent()
        var answered: [Int] = []
        for number in 1...100 {
            packet.arrived(20, from: Self.stranger)
            guard packet.isDue else { continue }
            answered.append(number)
            packet.sent()
        }
        #expect(answered == [1, 2, 4, 8, 16, 32, 64])
    }

    @Test("What arrives before the answer has left asks for no other one")
    func oneAtATime() {
        var packet = Self.packet(size: 40, isAddressProved: true)
        for _ in 0..<3 { packet.arrived(20, from: Self.peer) }
        packet.sent()
        #expect(!packet.isDue)
        packet.arrived(20, from: Self.peer)
        #expect(packet.isDue)
    }

    @Test("An address that is not proved gets no more than three times what came from it (RFC 9000 § 8.1)")
    func amplification() {
        var packet = Self.packet(size: 166, isAddressProved: false)
        packet.sent()
        var (received, sent) = (0, 0)
        for _ in 0..<1_000 {
            // Others may send as much as they like.
            for _ in 0..<10 { packet.arrived(1_200, from: Self.stranger) }
            packet.arrived(9, from: Self.peer)
            received += 9
            guard packet.isDue else { continue }
            sent += packet.bytes.count
            packet.sent()
            #expect(sent <= 3 * received)
        }
        #expect(sent > 0)
    }
}
