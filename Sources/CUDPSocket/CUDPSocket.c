#define _GNU_SOURCE
#include "CUDPSocket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

/// A burst of one congestion window at 1 Gbit/s and 50 ms, so that a busy loop does not lose what the link delivered.
enum { BUFFER_SIZE = 4 << 20 };

static int set(int descriptor, int level, int name, int value) {
    return setsockopt(descriptor, level, name, &value, sizeof value);
}

/// The options without which QUIC works worse or not at all. Returns 0 or -1 with errno.
static int configure(int descriptor, int family, int joins) {
    if (joins && set(descriptor, SOL_SOCKET, SO_REUSEPORT, 1)) return -1;
    // The kernel caps these at its own limit; a smaller buffer is no error.
    (void)set(descriptor, SOL_SOCKET, SO_RCVBUF, BUFFER_SIZE);
    (void)set(descriptor, SOL_SOCKET, SO_SNDBUF, BUFFER_SIZE);
    if (family == AF_INET6) {
        if (set(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 0)) return -1;
        if (set(descriptor, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)) return -1;
        if (set(descriptor, IPPROTO_IPV6, IPV6_RECVTCLASS, 1)) return -1;
        if (set(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE)) return -1;
        // IPv4 peers of a dual-stack socket. A kernel without IPv4 refuses, and has none.
        (void)set(descriptor, IPPROTO_IP, IP_RECVTOS, 1);
        (void)set(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
        return 0;
    }
    if (set(descriptor, IPPROTO_IP, IP_PKTINFO, 1)) return -1;
    if (set(descriptor, IPPROTO_IP, IP_RECVTOS, 1)) return -1;
    return set(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
}

int CUDPSocket_open(const struct sockaddr *address, socklen_t length, int joins) {
    int descriptor = socket(address->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    if (configure(descriptor, address->sa_family, joins) || bind(descriptor, address, length)) {
        int error = errno;
        close(descriptor);
        return -error;
    }
    return descriptor;
}

int CUDPSocket_allow_sharing(int descriptor) { return set(descriptor, SOL_SOCKET, SO_REUSEPORT, 1) ? errno : 0; }

int CUDPSocket_can_segment(int descriptor) {
    int value;
    socklen_t length = sizeof value;
    return getsockopt(descriptor, IPPROTO_UDP, UDP_SEGMENT, &value, &length) == 0;
}

// The control messages of one send.
typedef struct {
    struct msghdr *message;
    size_t used;
} control;

static void append(control *control, int level, int type, const void *value, size_t size) {
    struct cmsghdr *header = (struct cmsghdr *)((char *)control->message->msg_control + control->used);
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(header), value, size);
    control->used += CMSG_SPACE(size);
}

static void append_source(control *control, const struct sockaddr *local) {
    if (local->sa_family == AF_INET) {
        struct in_pktinfo info = {.ipi_spec_dst = ((const struct sockaddr_in *)local)->sin_addr};
        if (info.ipi_spec_dst.s_addr != INADDR_ANY) append(control, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    } else if (local->sa_family == AF_INET6) {
        const struct sockaddr_in6 *address = (const struct sockaddr_in6 *)local;
        struct in6_pktinfo info = {.ipi6_addr = address->sin6_addr, .ipi6_ifindex = address->sin6_scope_id};
        if (!IN6_IS_ADDR_UNSPECIFIED(&info.ipi6_addr)) {
            append(control, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
        }
    }
}

static void append_ecn(control *control, const struct sockaddr *remote, uint8_t ecn) {
    int value = ecn;
    // The kernel sends to a mapped address through its IPv4 half, which reads the IPv4 option only.
    int is_ipv4 = remote->sa_family == AF_INET
        || IN6_IS_ADDR_V4MAPPED(&((const struct sockaddr_in6 *)remote)->sin6_addr);
    if (is_ipv4) {
        append(control, IPPROTO_IP, IP_TOS, &value, sizeof value);
    } else {
        append(control, IPPROTO_IPV6, IPV6_TCLASS, &value, sizeof value);
    }
}

int CUDPSocket_send(int descriptor, const CUDPSocket_run *run) {
    union {
        char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint16_t))];
        struct cmsghdr alignment;
    } storage;
    memset(&storage, 0, sizeof storage);
    struct iovec vector = {.iov_base = (void *)run->bytes, .iov_len = run->length};
    struct msghdr message = {
        .msg_name = (void *)run->remote,
        .msg_namelen = run->remote_length,
        .msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = storage.bytes,
    };
    control control = {&message, 0};
    if (run->local) append_source(&control, run->local);
    if (run->ecn) append_ecn(&control, run->remote, run->ecn);
    if (run->segment_size && run->segment_size < run->length) {
        uint16_t segment_size = (uint16_t)run->segment_size;
        append(&control, IPPROTO_UDP, UDP_SEGMENT, &segment_size, sizeof segment_size);
    }
    message.msg_controllen = control.used;
    ssize_t sent;
    do {
        sent = sendmsg(descriptor, &message, MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? errno : 0;
}
