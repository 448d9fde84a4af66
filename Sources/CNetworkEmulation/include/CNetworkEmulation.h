// What a measurement needs of Linux: two network namespaces with a TUN device each, programs and sockets in them, programs
// and threads that keep to processors, and waiting that is precise.
//
// Entering a user namespace needs a process with one thread (user_namespaces(7)), so what does so forks; the child makes
// system calls only and passes back descriptors.

#ifndef CNETWORKEMULATION_H
#define CNETWORKEMULATION_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// The device of one namespace, before it is made.
typedef struct {
    /// Its IPv4 address and that of the other end, in network byte order.
    uint32_t address;
    uint32_t peer;
    /// The largest packet it sends, in bytes.
    int mtu;
} CNetworkEmulation_device;

/// Descriptors that keep two namespaces and their devices alive. Each is closed on exec, and by the caller.
typedef struct {
    /// The user namespace that owns both network namespaces.
    int user;
    int network[2];
    /// The TUN devices: each read and write is one IP packet, without offloads. Non-blocking.
    int tun[2];
} CNetworkEmulation_pair;

/// What can fail while a pair is made, in this order.
typedef enum {
    CNetworkEmulation_step_fork,
    CNetworkEmulation_step_user,
    CNetworkEmulation_step_identity,
    CNetworkEmulation_step_network,
    CNetworkEmulation_step_tun,
    CNetworkEmulation_step_device,
} CNetworkEmulation_step;

/// Makes two namespaces, each with a device that is up. Needs no privileges. Returns 0, or the errno of `step`.
int CNetworkEmulation_make_pair(
    const CNetworkEmulation_device devices[2], CNetworkEmulation_pair *pair, CNetworkEmulation_step *step);

/// Opens a socket in a namespace. Returns the descriptor, which is closed on exec, or -errno.
int CNetworkEmulation_socket(int user, int network, int domain, int type);

/// A program to start, in a process group of its own.
typedef struct {
    const char *executable;
    /// As for execve(2), terminated by NULL.
    char *const *arguments;
    /// The namespaces to start it in; -1 for those of this process.
    int user;
    int network;
    /// What it gets as descriptors 0, 1, 2 and so on; at most 16.
    const int *descriptors;
    size_t descriptor_count;
    /// The processors that it keeps to; none for those of this process.
    const int *processors;
    size_t processor_count;
} CNetworkEmulation_program;

/// Starts a program, which is killed when the calling thread ends. Returns 0 and its id, or the errno.
int CNetworkEmulation_start(const CNetworkEmulation_program *program, pid_t *id);

/// The processors that this thread may run on, at most so many. Returns their number; 0 when the system does not tell.
size_t CNetworkEmulation_processors(int *processors, size_t most);

/// Makes this thread, and those that it starts from now on, keep to processors. None are all. Returns 0, or the errno.
int CNetworkEmulation_keep_to(const int *processors, size_t count);

/// poll(2) with a timeout in nanoseconds; a negative one waits for ever.
int CNetworkEmulation_poll(struct pollfd *descriptors, size_t count, int64_t timeout);

/// Makes the timers of this thread as precise as the kernel can; it rounds them up by 50 µs otherwise (prctl(2)).
void CNetworkEmulation_sharpen_timers(void);

#endif
