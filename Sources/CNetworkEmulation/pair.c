#define _GNU_SOURCE
#include "CNetworkEmulation.h"
#include "descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/// Packets that wait for the reader: one that is not scheduled for 100 ms at 1 Gbit/s still loses none.
enum { READ_QUEUE = 10000 };

/// The step that is under way and the descriptors made so far, in the order of CNetworkEmulation_pair.
typedef struct {
    CNetworkEmulation_step step;
    int descriptors[5];
} construction;

static int write_file(const char *path, const char *text) {
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    if (descriptor < 0) return -1;
    ssize_t written = write(descriptor, text, strlen(text));
    int error = errno;
    close(descriptor);
    errno = error;
    return written < 0 ? -1 : 0;
}

/// Users keep their ids, so that files which programs write in the namespace belong to them.
static int map_identity(uid_t user, gid_t group) {
    char map[64];
    // Without this the kernel does not let an unprivileged process map groups (user_namespaces(7)).
    if (write_file("/proc/self/setgroups", "deny")) return -1;
    snprintf(map, sizeof map, "%u %u 1", group, group);
    if (write_file("/proc/self/gid_map", map)) return -1;
    snprintf(map, sizeof map, "%u %u 1", user, user);
    return write_file("/proc/self/uid_map", map);
}

/// By rtnetlink(7): SIOCSIFTXQLEN is for the machine's root alone.
static int set_queue_length(const char *name) {
    struct {
        struct nlmsghdr header;
        struct ifinfomsg link;
        struct rtattr attribute;
        uint32_t length;
    } request = {
        .header = {.nlmsg_len = sizeof request, .nlmsg_type = RTM_NEWLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .link = {.ifi_family = AF_UNSPEC, .ifi_index = (int)if_nametoindex(name)},
        .attribute = {.rta_len = RTA_LENGTH(sizeof(uint32_t)), .rta_type = IFLA_TXQLEN},
        .length = READ_QUEUE,
    };
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
    } answer = {0};
    int route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (route < 0) return -1;
    ssize_t count = send(route, &request, sizeof request, 0);
    if (count >= 0) count = recv(route, &answer, sizeof answer, 0);
    int error = count < 0 ? errno : -answer.error.error;
    close(route);
    errno = error;
    return error ? -1 : 0;
}

static int set_address(int control, struct ifreq *request, unsigned long operation, uint32_t address) {
    struct sockaddr_in value = {.sin_family = AF_INET, .sin_addr.s_addr = address};
    memcpy(&request->ifr_addr, &value, sizeof value);
    return ioctl(control, operation, request);
}

static int bring_up(int control, struct ifreq *request) {
    if (ioctl(control, SIOCGIFFLAGS, request)) return -1;
    request->ifr_flags |= IFF_UP;
    return ioctl(control, SIOCSIFFLAGS, request);
}

static int configure(struct ifreq *request, const CNetworkEmulation_device *device) {
    int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (control < 0) return -1;
    int failed = set_address(control, request, SIOCSIFADDR, device->address)
        || set_address(control, request, SIOCSIFDSTADDR, device->peer);
    request->ifr_mtu = device->mtu;
    failed = failed || ioctl(control, SIOCSIFMTU, request) || set_queue_length(request->ifr_name)
        || bring_up(control, request);
    struct ifreq loopback = {.ifr_name = "lo"};
    failed = failed || bring_up(control, &loopback);
    int error = errno;
    close(control);
    errno = error;
    return failed ? -1 : 0;
}

static int make_network(construction *made, int index, const CNetworkEmulation_device *device) {
    made->step = CNetworkEmulation_step_network;
    if (unshare(CLONE_NEWNET)) return -1;
    int network = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (network < 0) return -1;
    made->step = CNetworkEmulation_step_tun;
    int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tun < 0) return -1;
    struct ifreq request = {.ifr_name = "link", .ifr_flags = IFF_TUN | IFF_NO_PI};
    if (ioctl(tun, TUNSETIFF, &request)) return -1;
    made->descriptors[1 + index] = network;
    made->descriptors[3 + index] = tun;
    made->step = CNetworkEmulation_step_device;
    return configure(&request, device);
}

static int make_pair(construction *made, const CNetworkEmulation_device devices[2]) {
    uid_t user = geteuid();
    gid_t group = getegid();
    made->step = CNetworkEmulation_step_user;
    if (unshare(CLONE_NEWUSER)) return -1;
    made->step = CNetworkEmulation_step_identity;
    if (map_identity(user, group)) return -1;
    made->descriptors[0] = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
    if (made->descriptors[0] < 0) return -1;
    return make_network(made, 0, &devices[0]) || make_network(made, 1, &devices[1]) ? -1 : 0;
}

int CNetworkEmulation_make_pair(
    const CNetworkEmulation_device devices[2], CNetworkEmulation_pair *pair, CNetworkEmulation_step *step
) {
    int ends[2];
    *step = CNetworkEmulation_step_fork;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends)) return errno;
    pid_t child = fork();
    if (child == 0) {
        construction made = {CNetworkEmulation_step_fork, {-1, -1, -1, -1, -1}};
        int error = make_pair(&made, devices) ? errno : 0;
        send_descriptors(ends[1], (outcome){error, (int)made.step}, made.descriptors, error ? 0 : 5);
        _exit(0);
    }
    int descriptors[5];
    outcome result = outcome_of(child, ends, descriptors, 5);
    *step = (CNetworkEmulation_step)result.step;
    if (result.error) return result.error;
    *pair = (CNetworkEmulation_pair){
        descriptors[0], {descriptors[1], descriptors[2]}, {descriptors[3], descriptors[4]}};
    return 0;
}
