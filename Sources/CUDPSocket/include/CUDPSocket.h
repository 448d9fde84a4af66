// The part of UDP that SwiftNIO cannot express: a socket with all options set before bind, and a send that chooses the
// source address, the ECN codepoint and the segment size of each call.

#ifndef CUDPSOCKET_H
#define CUDPSOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/// Opens and binds a non-blocking UDP socket for QUIC.
///
/// An IPv6 wildcard address takes IPv4 as well. Packets report their destination address and ECN codepoint; the kernel
/// neither fragments them nor keeps a path MTU of its own (RFC 9000 § 14). With `joins` the port may be that of sockets
/// which allow sharing. Returns the descriptor, or -errno.
int CUDPSocket_open(const struct sockaddr *address, socklen_t length, int joins);

/// Lets further sockets of this user join the port of a bound one. Returns 0, or the errno.
int CUDPSocket_allow_sharing(int descriptor);

/// Whether the kernel knows segmented sends (UDP_SEGMENT, Linux 4.18): 1 or 0.
int CUDPSocket_can_segment(int descriptor);

/// Datagrams of one size, laid out one after the other, the last of which may be shorter.
typedef struct {
    const struct sockaddr *remote;
    socklen_t remote_length;
    /// The address to send from; one that is unspecified leaves the choice to the kernel.
    const struct sockaddr *local;
    const void *bytes;
    size_t length;
    /// The size of a datagram; 0 or `length` when there is only one.
    size_t segment_size;
    /// The ECN codepoint (RFC 3168 § 5).
    uint8_t ecn;
} CUDPSocket_run;

/// Sends a run with one system call. Returns 0, or the errno.
int CUDPSocket_send(int descriptor, const CUDPSocket_run *run);

#endif
