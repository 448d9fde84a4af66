import CUDPSocket
import Glibc
import NIOCore
import QUIC

/// The sending half of a UDP socket, and its creation. NIO reads from it and closes it.
///
/// We send by ourselves for four reasons: a reply must leave from the address that the client used, which NIO cannot
/// choose; a failed send must cost one run, never the socket (NIO closes a channel for one datagram to port 0); ngtcp2
/// writes packets into one buffer, which goes to the kernel as one segmented send without a copy or a queue; and it is
/// a microsecond or two cheaper for a lone packet.
struct UDPSocket {
    let descriptor: CInt
    /// Whether the kernel cuts a run into packets. Cleared for good when it cannot, or the interface's driver fails at
    /// it.
    var canSegment: Bool
    private(set) var statistics = Statistics()

    /// Counters only grow.
    struct Statistics {
        var sends = 0
        var failedSends = 0
    }

    /// What became of a run.
    enum Outcome: Equatable {
        /// Sent, or lost in a way that recovery covers.
        case sent
        /// The socket is full. The first bytes went out before.
        case blocked(sentByteCount: Int)
    }

    /// Whether a port may have several sockets (SO_REUSEPORT).
    enum Sharing {
        case none
        /// The port must be free now; others may join it afterwards. A socket that shares from the beginning would join
        /// another server's port without a word, even when the system chooses it.
        case first
        case joins
    }

    /// Opens and binds a socket.
    /// - Throws: `IOError` with the reason, such as a port in use.
    init(bindingTo address: SocketAddress, sharing: Sharing) throws {
        let result = address.withSockAddr { CUDPSocket_open($0, socklen_t($1), sharing == .joins ? 1 : 0) }
        guard result >= 0 else { throw IOError(errnoCode: -result, reason: "bind UDP \(address)") }
        self.descriptor = result
        self.canSegment = CUDPSocket_can_segment(result) != 0
        guard sharing == .first else { return }
        let error = CUDPSocket_allow_sharing(result)
        guard error == 0 else {
            close(result)
            throw IOError(errnoCode: error, reason: "share UDP \(address)")
        }
    }

    /// Sends a run of packets. A failure other than a full socket costs what failed, never the socket.
    mutating func send(_ run: Transmit) -> Outcome {
        self.statistics.sends += 1
        guard self.canSegment, run.bytes.count > run.segmentSize else { return self.sendOneByOne(run) }
        switch self.send(run.bytes, segmentSize: run.segmentSize, run) {
        case 0:
            return .sent
        case EAGAIN, ENOBUFS:
            return .blocked(sentByteCount: 0)
        case EIO:
            // The interface cannot compute the checksums of what it would cut, and never will.
            self.canSegment = false
            return self.sendOneByOne(run)
        case EINVAL, EMSGSIZE:
            // The segments are larger than this route's MTU, as older and newer kernels say. Others may be wider, and the
            // last one is often smaller.
            return self.sendOneByOne(run)
        default:
            self.statistics.failedSends += 1
            return .sent
        }
    }

    private mutating func sendOneByOne(_ run: Transmit) -> Outcome {
        var sent = 0
        while sent < run.bytes.count {
            let packet = UnsafeRawBufferPointer(rebasing: run.bytes[sent...].prefix(run.segmentSize))
            switch self.send(packet, segmentSize: packet.count, run) {
            case 0: break
            case EAGAIN, ENOBUFS: return .blocked(sentByteCount: sent)
            default: self.statistics.failedSends += 1
            }
            sent += packet.count
        }
        return .sent
    }

    private func send(_ bytes: UnsafeRawBufferPointer, segmentSize: Int, _ run: Transmit) -> CInt {
        run.path.local.withBytes { local in
            run.path.remote.withBytes { remote in
                var message = CUDPSocket_run(
                    remote: remote.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                    remote_length: socklen_t(remote.count),
                    local: local.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                    bytes: bytes.baseAddress,
                    length: bytes.count,
                    segment_size: segmentSize,
                    ecn: run.ecn
                )
                return CUDPSocket_send(self.descriptor, &message)
            }
        }
    }
}
