#define _GNU_SOURCE
#include "descriptors.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 8 };

typedef union {
    char bytes[CMSG_SPACE(sizeof(int) * MOST)];
    struct cmsghdr alignment;
} control;

void send_descriptors(int channel, outcome outcome, const int *descriptors, size_t count) {
    control storage = {0};
    struct iovec vector = {.iov_base = &outcome, .iov_len = sizeof outcome};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    if (count) {
        message.msg_control = storage.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(header), descriptors, sizeof(int) * count);
    }
    // A parent that is gone needs no answer, and this process no signal.
    (void)sendmsg(channel, &message, MSG_NOSIGNAL);
}

static outcome receive_descriptors(int channel, int *descriptors, size_t count) {
    control storage;
    outcome outcome = {0, 0};
    struct iovec vector = {.iov_base = &outcome, .iov_len = sizeof outcome};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = storage.bytes, .msg_controllen = sizeof storage.bytes};
    ssize_t received;
    do received = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
    while (received < 0 && errno == EINTR);
    if (received < 0) outcome.error = errno;
    // A child that was killed says nothing.
    if (received == 0) outcome.error = ECHILD;
    if (outcome.error) return outcome;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int) * count)) {
        // The kernel passes fewer when this process may open no more.
        outcome.error = EMFILE;
        return outcome;
    }
    memcpy(descriptors, CMSG_DATA(header), sizeof(int) * count);
    return outcome;
}

outcome outcome_of(pid_t child, const int ends[2], int *descriptors, size_t count) {
    outcome result = {child < 0 ? errno : 0, 0};
    close(ends[1]);
    if (child > 0) result = receive_descriptors(ends[0], descriptors, count);
    close(ends[0]);
    if (child > 0) wait_for(child);
    return result;
}

void wait_for(pid_t child) {
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
}

int enter(int user, int network) {
    if (user >= 0 && setns(user, CLONE_NEWUSER)) return -1;
    return network >= 0 && setns(network, CLONE_NEWNET) ? -1 : 0;
}
