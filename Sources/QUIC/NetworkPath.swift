import CNgtcp2
import Glibc
package import NIOCore

/// An IP address with a port, as the kernel writes it, stored in place.
///
/// NIO's `SocketAddress` boxes its storage; this one is copied once for each packet without touching the heap.
package struct NetworkAddress: Hashable, Sendable {
    // A sockaddr_in6; a sockaddr_in uses its first 16 bytes and leaves the rest zero, so that == and hash hold.
    private var words: (UInt64, UInt64, UInt64, UInt32) = (0, 0, 0, 0)
    private var length: UInt8 = 0

    /// - Precondition: `address` is of family AF_INET or AF_INET6.
    init(_ address: UnsafePointer<sockaddr>, length: socklen_t) {
        let size = min(Int(length), MemoryLayout<sockaddr_in6>.size)
        precondition(size > 0, "a network address has a length")
        withUnsafeMutableBytes(of: &self.words) {
            $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: size))
        }
        self.length = UInt8(size)
    }

    /// Nil for a Unix domain socket.
    package init?(_ address: SocketAddress) {
        guard address.protocol == .inet || address.protocol == .inet6 else { return nil }
        self = address.withSockAddr { NetworkAddress($0, length: socklen_t($1)) }
    }

    package var port: UInt16 {
        // Both families keep it at the same place.
        get {
            self.withSockAddr { address, _ in
                UnsafeRawPointer(address).loadUnaligned(fromByteOffset: 2, as: UInt16.self).bigEndian
            }
        }
        set {
            withUnsafeMutableBytes(of: &self.words) {
                $0.storeBytes(of: newValue.bigEndian, toByteOffset: 2, as: UInt16.self)
            }
        }
    }

    func withSockAddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        self.withBytes { bytes in
            body(bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
    }

    /// Lends the address as the `sockaddr` that system calls take.
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withUnsafeBytes(of: self.words) { body(UnsafeRawBufferPointer(rebasing: $0.prefix(Int(self.length)))) }
    }

    package var socketAddress: SocketAddress {
        self.withSockAddr { address, _ in
            let bytes = UnsafeRawPointer(address)
            return Int32(address.pointee.sa_family) == AF_INET
                ? SocketAddress(bytes.loadUnaligned(as: sockaddr_in.self))
                : SocketAddress(bytes.loadUnaligned(as: sockaddr_in6.self))
        }
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.length == right.length && left.words == right.words
    }

    package func hash(into hasher: inout Hasher) {
        withUnsafeBytes(of: self.words) { hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: $0.prefix(28))) }
    }
}

/// A network path (RFC 9000 § 9): the pair of addresses that packets travel between.
package struct NetworkPath: Hashable, Sendable {
    package var local: NetworkAddress
    package var remote: NetworkAddress

    package init(local: NetworkAddress, remote: NetworkAddress) {
        self.local = local
        self.remote = remote
    }

    /// - Precondition: the library has filled in both addresses.
    init(_ path: ngtcp2_path) {
        self.local = NetworkAddress(path.local.addr, length: path.local.addrlen)
        self.remote = NetworkAddress(path.remote.addr, length: path.remote.addrlen)
    }

    func withLibraryPath<Result>(_ body: (UnsafePointer<ngtcp2_path>) -> Result) -> Result {
        self.local.withSockAddr { local, localLength in
            self.remote.withSockAddr { remote, remoteLength in
                var path = ngtcp2_path()
                path.local = ngtcp2_addr(addr: UnsafeMutablePointer(mutating: local), addrlen: localLength)
                path.remote = ngtcp2_addr(addr: UnsafeMutablePointer(mutating: remote), addrlen: remoteLength)
                return body(&path)
            }
        }
    }
}
